namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Family attention. Forward: for a block of query rows of one segment and one key/value head, chunks of keys are packed once
/// and used by all query heads of the group; scores and outputs are products of packed panels (see
/// <see cref="MatmulTile{T}"/>), the softmax is the online one (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv
/// 2205.14135): a running maximum and sum a row. Few query rows, as a decode step has them, take plain dot products instead.
/// Backward: see <see cref="AttentionBackward{T}"/>.
/// <para>Cuts depend on the plan alone, so results do not depend on the threads. Scratch is a few hundred KiB a thread,
/// whatever the number of keys, but for the decode path, which keeps the scores of a row.</para>
/// Variants: vector512, vector256, vector128.
/// </summary>
internal abstract class Attention
{
    public abstract void Forward(in AttentionBatch batch, View output, View lse);

    /// <summary>dK and dV are written in every row.</summary>
    public abstract void Backward(in AttentionBatch batch, View dQ, View dK, View dV, View dOutput, View output, View lse);
}

/// <summary>Inputs of an attention as plain memory: q (NQ, NH * HS), k and v (NK, NKV * HS), the plan and the head layout.</summary>
internal readonly unsafe struct AttentionBatch(View q, View k, View v, AttentionPlan plan, AttentionShape shape)
{
    public readonly View Q = q;
    public readonly View K = k;
    public readonly View V = v;
    public readonly int KeyValueHeads = shape.KeyValueHeads;
    public readonly int GroupSize = shape.GroupSize;
    public readonly int HeadSize = shape.HeadSize;
    public readonly float Scale = (float)shape.Scale;
    public readonly int SegmentCount = plan.Segments.Length;
    public readonly int FamilyCount = plan.FamilyCount;
    private readonly int window = shape.Window ?? int.MaxValue;
    private readonly int* words = View.Numbers(plan.DeviceSegments);
    private readonly int* positions = View.Numbers(plan.DevicePositions);

    /// <summary>A segment and the number of its family.</summary>
    public AttentionSegment Segment(int index, out int family)
    {
        int* fields = words + index * AttentionPlan.SegmentWords;
        family = fields[7];
        return new AttentionSegment
        {
            QueryRow = fields[0],
            QueryCount = fields[1],
            KeyRow = fields[2],
            KeyCount = fields[3],
            ContextRow = fields[4],
            ContextCount = fields[5],
            FirstPosition = fields[6],
        };
    }

    /// <summary>First visible key of a query row, in the joint order of context and own keys, and one past the last.</summary>
    public (int First, int End) Visible(in AttentionSegment segment, int queryRow)
    {
        var (first, last) = AttentionPlan.Visible(segment, positions[queryRow], window == int.MaxValue ? null : window);
        return (first, last + 1);
    }

    /// <summary>
    /// The chunk of keys that starts at a joint key: at most <paramref name="limit"/> keys, before <paramref name="end"/>, in
    /// consecutive rows of k and v.
    /// </summary>
    public static KeyChunk Chunk(in AttentionSegment segment, int key, int end, int limit)
    {
        int runEnd = key < segment.ContextCount ? Math.Min(end, segment.ContextCount) : end;
        return new KeyChunk(key, Math.Min(limit, runEnd - key), AttentionPlan.KeyRowOf(segment, key));
    }
}

/// <summary>Keys that lie in consecutive rows.</summary>
/// <param name="First">First key in the joint order.</param>
/// <param name="Count">Number of keys.</param>
/// <param name="Row">Its row of k and v.</param>
internal readonly record struct KeyChunk(int First, int Count, int Row)
{
    /// <summary>The part of a visible range that lies in this chunk, counted from its first key.</summary>
    public (int First, int End) Clip((int First, int End) visible) =>
        (Math.Clamp(visible.First - First, 0, Count), Math.Clamp(visible.End - First, 0, Count));
}

/// <inheritdoc/>
internal sealed unsafe partial class Attention<T>(CpuContext context) : Attention
    where T : unmanaged, ISimd<T>
{
    public override void Forward(in AttentionBatch batch, View output, View lse)
    {
        int rowBlocks = 0, longest = 0;
        for (int i = 0; i < batch.SegmentCount; i++)
        {
            var segment = batch.Segment(i, out _);
            rowBlocks += (segment.QueryCount + AttentionForward<T>.BlockRows - 1) / AttentionForward<T>.BlockRows;
            longest = Math.Max(longest, segment.VisibleCount);
        }

        if (context.TrafficObserver is not null) NoteForward(batch);
        var scratch = context.PerWorker(AttentionForward<T>.ScratchLength(batch, longest));
        context.Team.Run(new AttentionForward<T>(batch, output, lse, scratch), rowBlocks * batch.KeyValueHeads);
    }

    public override void Backward(in AttentionBatch batch, View dQ, View dK, View dV, View dOutput, View output, View lse)
    {
        if (context.TrafficObserver is not null) NoteBackward(batch, dQ, dK, dV);
        Clear(dQ);
        Clear(dK);
        Clear(dV);
        float* dots = context.Shared((long)batch.Q.Rows * lse.Columns);
        var scratch = context.PerWorker(AttentionBackward<T>.ScratchLength(batch));
        var work = new AttentionBackward<T>(batch, dQ, dK, dV, dOutput, lse, dots, scratch);
        new RowParts<RowDots>(new RowDots(dOutput, output, dots, lse.Columns), dOutput.Rows, dOutput.Columns).Run(context.Team);
        context.Team.Run(work, batch.FamilyCount * batch.KeyValueHeads);
    }

    private void Clear(View target) => new RowParts<ClearRows>(new ClearRows(target), target.Rows, target.Columns).Run(context.Team);

    private readonly struct ClearRows(View target) : IRowWork
    {
        public void Run(int row) => new Span<float>(target.Row(row), target.Columns).Clear();
    }

    /// <summary>dots[row, head] = sum of dOutput * output over the head: what each score's gradient loses.</summary>
    private readonly struct RowDots(View dOutput, View output, float* dots, int heads) : IRowWork
    {
        public void Run(int row)
        {
            int size = dOutput.Columns / heads;
            for (int head = 0; head < heads; head++)
            {
                long at = (long)head * size;
                dots[(long)row * heads + head] = (float)SimdMath.DotWide<T>(dOutput.Row(row) + at, output.Row(row) + at, size);
            }
        }
    }
}
