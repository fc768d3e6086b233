namespace RepNoise.Kernels.Cuda;

/// <summary>Attention in bfloat16 on the tensor cores: kernels/attention.cu and attention_backward.cu of native/cuda.</summary>
internal sealed class FlashAttention(CudaContext context)
{
    /// <summary>Largest head size.</summary>
    public const int LargestHead = 128;

    /// <summary>Largest head size of the forward with 128 rows a block: the sums of larger ones would not fit the registers.</summary>
    public const int LargestTallHead = 96;

    private const int Threads = 128;
    private const int Tile = 64; // rows of queries a block, of keys a step; the backward's tiles too
    private const int NoWindow = 1 << 30;
    private const int DeltaRows = 4; // a warp each

    private readonly Dictionary<(int HeadSize, int Rows), CudaKernel<ForwardArguments>> forwards = [];
    private readonly Dictionary<(string, int), CudaKernel<BackwardArguments>> backwards = [];

    private readonly Lazy<CudaKernel<DeltaArguments>> delta = new(() => new CudaKernel<DeltaArguments>(
        context, "attention_backward", "attention_backward_delta_bf16", Threads));

    /// <summary>Queries of a plan's longest segment.</summary>
    public static int LongestSegment(AttentionPlan plan)
    {
        int longest = 0;
        foreach (var segment in plan.Segments) longest = Math.Max(longest, segment.QueryCount);
        return longest;
    }

    public void Forward(Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape, bool isTall)
    {
        // A block's queries, and two buffers of keys and values each.
        int rows = isTall ? 2 * Tile : Tile, size = KernelHeadSize(shape.HeadSize), shared = (rows / Tile + 4) * TileBytes(size);
        if (!forwards.TryGetValue((size, rows), out var kernel))
        {
            forwards.Add((size, rows), kernel = new CudaKernel<ForwardArguments>(
                context, "attention", $"attention_forward_rows{rows}_head{size}_bf16", Threads, shared));
        }

        kernel.Launch(QueryGrid(plan, shape, rows), new ForwardArguments(
            MatrixArgument.Address(output), MatrixArgument.Address(lse), MatrixArgument.Address(q), MatrixArgument.Address(k),
            MatrixArgument.Address(v), MatrixArgument.Address(plan.DeviceSegments), MatrixArgument.Address(plan.DevicePositions),
            output.RowStride, lse.RowStride, q.RowStride, k.RowStride, v.RowStride, shape.GroupSize, shape.HeadSize, Window(shape),
            (float)shape.Scale, Aligned(shape, output, q, k, v)), shared);
    }

    public void Backward(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        nint deltas = context.Scratch(Attention.DeltaBytes(plan, shape));
        delta.Value.Launch(new Grid((int)Packs.Blocks((long)q.Rows * shape.Heads, DeltaRows)), new DeltaArguments(
            deltas, MatrixArgument.Address(dOutput), MatrixArgument.Address(output), dOutput.RowStride, output.RowStride, q.Rows, shape.Heads,
            shape.HeadSize));
        var arguments = new BackwardArguments(
            MatrixArgument.Address(dQ), MatrixArgument.Address(dK), MatrixArgument.Address(dV), MatrixArgument.Address(dOutput),
            MatrixArgument.Address(lse), deltas, MatrixArgument.Address(q), MatrixArgument.Address(k), MatrixArgument.Address(v),
            MatrixArgument.Address(plan.DeviceSegments), MatrixArgument.Address(plan.DevicePositions),
            dQ.RowStride, dK.RowStride, dV.RowStride, dOutput.RowStride, lse.RowStride, q.RowStride, k.RowStride, v.RowStride,
            shape.Heads, shape.GroupSize, shape.HeadSize, Window(shape), plan.Segments.Length, k.Rows, (float)shape.Scale,
            Aligned(shape, dQ, dK, dV, dOutput, q, k, v));
        int size = KernelHeadSize(shape.HeadSize), shared = 6 * TileBytes(size);
        // Two tiles of keys and values; two buffers of queries and gradients, with four numbers a query.
        int queries = size > 96 ? Tile / 2 : Tile, sharedOfKeys = 2 * TileBytes(size) + 2 * queries * (2 * TileBytes(size) / Tile + 4 * sizeof(float));
        Kernel("queries", size, shared).Launch(QueryGrid(plan, shape), arguments, shared);
        Kernel("keys", size, sharedOfKeys).Launch(new Grid((int)Packs.Blocks(k.Rows, Tile), shape.KeyValueHeads), arguments, sharedOfKeys);
    }

    /// <summary>The compiled head size that a head runs in.</summary>
    private static int KernelHeadSize(int headSize) => headSize switch { <= 64 => 64, <= 80 => 80, <= 96 => 96, _ => 128 };

    /// <summary>Shared memory of 64 rows, each padded with 16 bytes.</summary>
    private static int TileBytes(int headSize) => Tile * (headSize * 2 + 16);

    private static int Window(AttentionShape shape) => Math.Min(shape.Window ?? NoWindow, NoWindow);

    /// <summary>A block for every tile of the longest segment, head and segment; those past a segment's end return at once.</summary>
    private static Grid QueryGrid(AttentionPlan plan, AttentionShape shape, int rows = Tile) =>
        new((int)Packs.Blocks(LongestSegment(plan), rows), shape.Heads, plan.Segments.Length);

    /// <summary>1 where every row of every head starts at a multiple of 16 bytes.</summary>
    private static int Aligned(AttentionShape shape, params ReadOnlySpan<Tensor> tensors)
    {
        if (shape.HeadSize % Packs.Size != 0) return 0;
        foreach (var tensor in tensors)
        {
            if (MatrixArgument.Address(tensor) % 16 != 0 || tensor.RowStride % Packs.Size != 0) return 0;
        }

        return 1;
    }

    private CudaKernel<BackwardArguments> Kernel(string pass, int size, int shared)
    {
        if (!backwards.TryGetValue((pass, size), out var kernel))
        {
            string symbol = $"attention_backward_{pass}_head{size}_bf16";
            backwards.Add((pass, size), kernel = new CudaKernel<BackwardArguments>(context, "attention_backward", symbol, Threads, shared));
        }

        return kernel;
    }

    private readonly record struct ForwardArguments(
        nint Output, nint Lse, nint Q, nint K, nint V, nint Segments, nint Positions,
        long StrideOutput, long StrideLse, long StrideQ, long StrideK, long StrideV,
        int GroupSize, int HeadSize, int Window, float Scale, int Aligned);

    private readonly record struct DeltaArguments(
        nint Delta, nint DOutput, nint Output, long StrideDOutput, long StrideOutput, int Rows, int Heads, int HeadSize);

    private readonly record struct BackwardArguments(
        nint DQ, nint DK, nint DV, nint DOutput, nint Lse, nint Delta, nint Q, nint K, nint V, nint Segments, nint Positions,
        long StrideDQ, long StrideDK, long StrideDV, long StrideDOutput, long StrideLse, long StrideQ, long StrideK, long StrideV,
        int Heads, int GroupSize, int HeadSize, int Window, int SegmentCount, int KeyRows, float Scale, int Aligned);
}
