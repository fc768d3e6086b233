using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>The forward of one block of query rows and one key/value head; see <see cref="Attention"/>.</summary>
internal readonly unsafe struct AttentionForward<T>(AttentionBatch batch, View output, View lse, float** scratch) : IWork
    where T : unmanaged, ISimd<T>
{
    /// <summary>Query rows of a part: eight strips of the highest tile, enough to repay packing the keys.</summary>
    public const int BlockRows = 112;

    /// <summary>Keys of a chunk: K and V of a head of 128 channels are 256 KiB, within L2.</summary>
    public const int ChunkKeys = 256;

    /// <summary>Query rows up to which keys are read in place.</summary>
    public const int FewRows = 2;

    private int HeadSize => batch.HeadSize;

    /// <summary>Floats of scratch a worker needs.</summary>
    public static long ScratchLength(in AttentionBatch batch, int longest) =>
        Math.Max(new Areas(null, batch).Length, longest);

    public void Run(int part, int worker)
    {
        int head = part % batch.KeyValueHeads, block = part / batch.KeyValueHeads;
        for (int i = 0; i < batch.SegmentCount; i++)
        {
            var segment = batch.Segment(i, out _);
            int blocks = (segment.QueryCount + BlockRows - 1) / BlockRows;
            if (block >= blocks)
            {
                block -= blocks;
                continue;
            }

            int first = segment.QueryRow + block * BlockRows;
            int count = Math.Min(BlockRows, segment.QueryRow + segment.QueryCount - first);
            if (count <= FewRows) RunFew(segment, head, first, count, scratch[worker]);
            else RunBlock(segment, head, first, count, new Areas(scratch[worker], batch));
            return;
        }
    }

    private void RunBlock(in AttentionSegment segment, int keyValueHead, int firstRow, int rows, in Areas areas)
    {
        // Positions ascend within a segment: the first row sees the earliest key, the last row the latest.
        int key = batch.Visible(segment, firstRow).First, end = batch.Visible(segment, firstRow + rows - 1).End;
        for (int i = 0; i < rows * batch.GroupSize; i++) (areas.Max[i], areas.Sum[i]) = (float.NegativeInfinity, 0);
        for (bool isFirst = true; key < end; isFirst = false)
        {
            var chunk = AttentionBatch.Chunk(segment, key, end, ChunkKeys);
            Panels<T>.Keys(areas.K, batch.K.Row(chunk.Row) + (long)keyValueHead * HeadSize, batch.K.Stride, chunk.Count, HeadSize);
            Panels<T>.Values(areas.V, batch.V.Row(chunk.Row) + (long)keyValueHead * HeadSize, batch.V.Stride, chunk.Count, HeadSize);
            for (int g = 0; g < batch.GroupSize; g++)
                AddChunk(segment, chunk, keyValueHead * batch.GroupSize + g, firstRow, rows, isFirst, areas, g * rows);
            key += chunk.Count;
        }

        for (int g = 0; g < batch.GroupSize; g++) Finish(keyValueHead * batch.GroupSize + g, firstRow, rows, areas, g * rows);
    }

    private void AddChunk(
        in AttentionSegment segment, KeyChunk chunk, int head, int firstRow, int rows, bool isFirst, in Areas areas, int state)
    {
        int height = MatmulTile<T>.MaxRows;
        long channel = (long)head * HeadSize;
        for (int row = 0; row < rows; row += height)
        {
            int count = Math.Min(height, rows - row);
            int keys = chunk.Clip(batch.Visible(segment, firstRow + row + count - 1)).End; // the strip's last row sees farthest
            if (keys == 0 && !isFirst) continue;
            MatmulTile<T>.PackLines(batch.Q.Row(firstRow + row) + channel, batch.Q.Stride, count, count, HeadSize, areas.Q);
            Panels<T>.Multiply(areas.Scores, ChunkKeys, areas.Q, areas.K, count, keys, HeadSize, false);
            for (int i = 0; i < count; i++)
            {
                var visible = chunk.Clip(batch.Visible(segment, firstRow + row + i));
                float* to = output.Row(firstRow + row + i) + channel;
                int at = state + row + i;
                float shrink = Softmax(areas.Scores + (long)i * ChunkKeys, visible, keys, ref areas.Max[at], ref areas.Sum[at]);
                if (!isFirst && shrink != 1) SimdMath.Scale<T>(to, HeadSize, shrink);
            }

            MatmulTile<T>.PackLines(areas.Scores, ChunkKeys, count, count, keys, areas.Q);
            MultiplyValues(output.Row(firstRow + row) + channel, areas, count, keys, chunk.Count, !isFirst);
        }
    }

    /// <summary>output = or += probabilities times the chunk's first <paramref name="keys"/> values.</summary>
    private void MultiplyValues(float* to, in Areas areas, int rows, int keys, int packedKeys, bool accumulate)
    {
        int width = MatmulTile<T>.Columns;
        for (int column = 0; column < HeadSize; column += width)
        {
            MatmulTile<T>.RunPart(rows, Math.Min(width, HeadSize - column), keys, areas.Q, areas.V + (long)column * packedKeys,
                to + column, output.Stride, accumulate, null);
        }
    }

    /// <summary>
    /// Scores become exp(scale * (score - max)) of the row's maximum so far, zeros where nothing is visible. Returns the factor
    /// of what was summed under the maximum before.
    /// </summary>
    [MethodImpl(KernelLoop.Options)]
    private float Softmax(float* scores, (int First, int End) visible, int count, ref float max, ref float sum)
    {
        float before = max;
        max = Math.Max(max, SimdMath.MaxOf<T>(scores + visible.First, visible.End - visible.First));
        T total = default, scale = T.Create(batch.Scale), shift = T.Create(max);
        new Span<float>(scores, visible.First).Clear();
        new Span<float>(scores + visible.End, count - visible.End).Clear();
        if (visible.End <= visible.First) return 1;
        for (int i = visible.First; i < visible.End; i += T.Width)
        {
            int left = visible.End - i;
            var e = SimdMath.Exp((SimdMath.Load<T>(scores + i, left) - shift) * scale);
            SimdMath.Store(e, scores + i, left);
            total += left >= T.Width ? e : SimdMath.Load<T>(scores + i, left);
        }

        float shrink = float.IsNegativeInfinity(before) ? 0 : MathF.Exp((before - max) * batch.Scale);
        sum = sum * shrink + T.SumAcross(total);
        return shrink;
    }

    private void Finish(int head, int firstRow, int rows, in Areas areas, int state)
    {
        for (int row = 0; row < rows; row++)
        {
            SimdMath.Scale<T>(output.Row(firstRow + row) + (long)head * HeadSize, HeadSize, 1 / areas.Sum[state + row]);
            lse.Row(firstRow + row)[head] = areas.Max[state + row] * batch.Scale + MathF.Log(areas.Sum[state + row]);
        }
    }

    /// <summary>A few rows: scores by dot products, the output as a sum of rows of v.</summary>
    private void RunFew(in AttentionSegment segment, int keyValueHead, int firstRow, int rows, float* scores)
    {
        for (int row = firstRow; row < firstRow + rows; row++)
        {
            var visible = batch.Visible(segment, row);
            for (int g = 0; g < batch.GroupSize; g++)
                RunRow(segment, visible, keyValueHead, keyValueHead * batch.GroupSize + g, row, scores);
        }
    }

    private void RunRow(in AttentionSegment segment, (int First, int End) visible, int keyValueHead, int head, int row, float* scores)
    {
        long channel = (long)head * HeadSize, keyChannel = (long)keyValueHead * HeadSize;
        float max = float.NegativeInfinity, sum = 0;
        for (int key = visible.First; key < visible.End; key++)
        {
            float* from = batch.K.Row(AttentionPlan.KeyRowOf(segment, key)) + keyChannel;
            scores[key - visible.First] = SimdMath.Dot<T>(batch.Q.Row(row) + channel, from, HeadSize);
        }

        int count = visible.End - visible.First;
        Softmax(scores, (0, count), count, ref max, ref sum);
        float* to = output.Row(row) + channel;
        new Span<float>(to, HeadSize).Clear();
        for (int key = visible.First; key < visible.End; key++)
        {
            float* from = batch.V.Row(AttentionPlan.KeyRowOf(segment, key)) + keyChannel;
            SimdMath.AddScaled<T>(to, from, HeadSize, scores[key - visible.First]);
        }

        SimdMath.Scale<T>(to, HeadSize, 1 / sum);
        lse.Row(row)[head] = max * batch.Scale + MathF.Log(sum);
    }

    /// <summary>A worker's scratch: packed keys and values, a strip of queries or probabilities, scores, and a state a row.</summary>
    private readonly struct Areas
    {
        public readonly float* K;
        public readonly float* V;
        public readonly float* Q;
        public readonly float* Scores;
        public readonly float* Max;
        public readonly float* Sum;
        public readonly long Length;

        public Areas(float* start, in AttentionBatch batch)
        {
            float* at = start;
            int rows = MatmulTile<T>.MaxRows;
            K = Take(ref at, Panels<T>.Length(ChunkKeys, batch.HeadSize));
            V = Take(ref at, Panels<T>.Length(batch.HeadSize, ChunkKeys));
            Q = Take(ref at, (long)rows * Math.Max(ChunkKeys, batch.HeadSize) + MatmulTile<T>.Slack);
            Scores = Take(ref at, (long)rows * ChunkKeys);
            Max = Take(ref at, (long)BlockRows * batch.GroupSize);
            Sum = Take(ref at, (long)BlockRows * batch.GroupSize);
            Length = at - start;
        }

        private static float* Take(ref float* at, long length)
        {
            float* area = at;
            at += (length + 15) & ~15L;
            return area;
        }
    }
}
