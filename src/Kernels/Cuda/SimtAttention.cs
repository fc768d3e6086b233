namespace RepNoise.Kernels.Cuda;

/// <summary>Attention without tensor cores, sums in fp32: kernels/attention_simt.cu of native/cuda.</summary>
internal sealed class SimtAttention(CudaContext context)
{
    /// <summary>Largest head size.</summary>
    public const int LargestHead = 256;

    private const string Module = "attention_simt";
    private const int Threads = 128;
    private const int Rows = 32; // a block's, and those it walks over in one step
    private const int NoWindow = 1 << 30;
    private const int DeltaRows = 4; // a warp each

    private readonly Dictionary<(string, int), CudaKernel<Arguments>> kernels = [];

    private readonly Lazy<CudaKernel<DeltaArguments>> delta = new(() => new CudaKernel<DeltaArguments>(
        context, Module, $"attention_backward_delta_simt_{context.Suffix}", Threads));

    public void Forward(Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
        var x = Common(lse, q, k, v, plan, shape) with { Output = MatrixArgument.Address(output), StrideOutput = output.RowStride };
        Launch("forward", QueryGrid(plan, shape), x);
    }

    public void Backward(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        nint deltas = context.Scratch(Attention.DeltaBytes(plan, shape));
        delta.Value.Launch(new Grid((int)Packs.Blocks((long)q.Rows * shape.Heads, DeltaRows)), new DeltaArguments(
            deltas, MatrixArgument.Address(dOutput), MatrixArgument.Address(output), dOutput.RowStride, output.RowStride, q.Rows, shape.Heads,
            shape.HeadSize));
        var x = Common(lse, q, k, v, plan, shape) with
        {
            DQ = MatrixArgument.Address(dQ),
            DK = MatrixArgument.Address(dK),
            DV = MatrixArgument.Address(dV),
            DOutput = MatrixArgument.Address(dOutput),
            Delta = deltas,
            StrideDQ = dQ.RowStride,
            StrideDK = dK.RowStride,
            StrideDV = dV.RowStride,
            StrideDOutput = dOutput.RowStride,
        };
        Launch("backward_queries", QueryGrid(plan, shape), x);
        Launch("backward_keys", new Grid((int)Packs.Blocks(k.Rows, Rows), shape.KeyValueHeads), x);
    }

    private void Launch(string pass, Grid grid, in SimtArguments x)
    {
        int size = context.Compute == NumberFormat.BFloat16 ? 256 : x.HeadSize switch { <= 32 => 32, <= 64 => 64, <= 128 => 128, _ => 256 };
        // Rows of four matrices, those of two padded by four values; weights twice; four numbers a column.
        int shared = (2 * Rows * size + 2 * Rows * (size + 4) + 2 * Rows * Rows + 4 * Rows) * sizeof(float);
        if (!kernels.TryGetValue((pass, size), out var kernel))
        {
            string symbol = $"attention_{pass}_simt_head{size}_{context.Suffix}";
            kernels.Add((pass, size), kernel = new CudaKernel<Arguments>(context, Module, symbol, Threads, shared));
        }

        kernel.Launch(grid, new Arguments(x), shared);
    }

    private static SimtArguments Common(Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape) => new()
    {
        Lse = MatrixArgument.Address(lse),
        Q = MatrixArgument.Address(q),
        K = MatrixArgument.Address(k),
        V = MatrixArgument.Address(v),
        Segments = MatrixArgument.Address(plan.DeviceSegments),
        Positions = MatrixArgument.Address(plan.DevicePositions),
        StrideLse = lse.RowStride,
        StrideQ = q.RowStride,
        StrideK = k.RowStride,
        StrideV = v.RowStride,
        Heads = shape.Heads,
        GroupSize = shape.GroupSize,
        HeadSize = shape.HeadSize,
        Window = Math.Min(shape.Window ?? NoWindow, NoWindow),
        SegmentCount = plan.Segments.Length,
        KeyRows = k.Rows,
        Scale = (float)shape.Scale,
    };

    private static Grid QueryGrid(AttentionPlan plan, AttentionShape shape) =>
        new((int)Packs.Blocks(FlashAttention.LongestSegment(plan), Rows), shape.Heads, plan.Segments.Length);

    private readonly record struct Arguments(SimtArguments X);

    private readonly record struct DeltaArguments(
        nint Delta, nint DOutput, nint Output, long StrideDOutput, long StrideOutput, int Rows, int Heads, int HeadSize);

    /// <summary><c>SimtArguments</c> of the source.</summary>
    private readonly record struct SimtArguments(
        nint Output, nint DQ, nint DK, nint DV, nint DOutput, nint Lse, nint Delta, nint Q, nint K, nint V, nint Segments, nint Positions,
        long StrideOutput, long StrideDQ, long StrideDK, long StrideDV, long StrideDOutput, long StrideLse, long StrideQ, long StrideK, long StrideV,
        int Heads, int GroupSize, int HeadSize, int Window, int SegmentCount, int KeyRows, float Scale);
}
