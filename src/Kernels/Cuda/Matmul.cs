namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family matmul. Variants: <c>naive</c>, a thread per element; in bfloat16 the tensor cores' <c>wide</c>, <c>square</c>,
/// <c>small</c> and <c>any</c> tiles; in float32 <c>fma</c>, <c>fma_small</c> and <c>tf32x3</c>. Where C has too few tiles for the device
/// K is split, and the parts' sums are added in order.
/// </summary>
internal sealed class Matmul
{
    private const string Family = "matmul";
    private const string Naive = "naive";
    private const int NaiveSide = 16;
    private const int Accumulate = 1, FloatOutput = 2; // flags of matmul_epilogue.cuh
    private const int CombineThreads = 256;

    private readonly CudaContext context;
    private readonly MatmulTile[] tiles;
    private readonly string? forced;
    private readonly Dictionary<(MatmulTile, MatmulForm), CudaKernel<TileArguments>> kernels = [];
    private readonly Lazy<CudaKernel<CombineArguments>> combine;
    private readonly Lazy<CudaKernel<NaiveArguments>> naiveToCompute;
    private readonly Lazy<CudaKernel<NaiveArguments>> naiveToState;

    public Matmul(CudaContext context, CudaVariants variants)
    {
        this.context = context;
        bool half = context.Compute == NumberFormat.BFloat16;
        tiles = half ? MatmulTile.BFloat16 : MatmulTile.Float32;
        MatmulTile[] all = [.. tiles, half ? MatmulTile.BFloat16Any : MatmulTile.Tf32];
        forced = variants.Choose(Family, [Naive, .. all.Select(tile => tile.Name)], "by shape");
        if (forced is not null && forced != Naive) tiles = [all.First(tile => tile.Name == forced)];
        combine = new(() => new CudaKernel<CombineArguments>(context, all[0].Module, $"matmul_combine_{context.Suffix}", CombineThreads));
        naiveToCompute = new(() => NaiveKernel(context.Suffix));
        naiveToState = new(() => NaiveKernel("f32"));
    }

    public void Run(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias)
    {
        if (c.Rows == 0 || c.Columns == 0) return;
        if (forced == Naive)
        {
            RunNaive(c, a, b, form, accumulate, bias);
            return;
        }

        var (m, n, k) = Device.MatmulShape(a, b, form);
        var (tile, parts) = MatmulTile.Choose(Usable(a, b), m, n, k, context.Multiprocessors);
        int depth = tile.DepthOfPart(k, parts);
        parts = (int)Packs.Blocks(Math.Max(k, 1), depth);
        int flags = (accumulate ? Accumulate : 0) | (MatrixArgument.FormatOf(c) == NumberFormat.Float32 ? FloatOutput : 0);
        var arguments = new TileArguments(
            MatrixArgument.Address(a), MatrixArgument.Address(b), MatrixArgument.Address(c), MatrixArgument.Address(bias),
            m, n, k, a.RowStride, b.RowStride, c.RowStride, 0, depth, flags);
        if (parts == 1)
        {
            Kernel(tile, form).Launch(new Grid(tile.Count(m, n)), arguments, tile.SharedBytes);
            return;
        }

        // Sums of every part first, rows padded to 16 bytes.
        int workspaceStride = (n + 3) / 4 * 4;
        long partStride = (long)m * workspaceStride;
        nint workspace = context.Scratch(parts * partStride * sizeof(float));
        Kernel(tile, form).Launch(
            new Grid(tile.Count(m, n), parts),
            arguments with { C = workspace, Bias = 0, StrideC = workspaceStride, PartStride = partStride, Flags = FloatOutput }, tile.SharedBytes);
        combine.Value.Launch(new Grid((int)Packs.Blocks(n, CombineThreads * 4), m), new CombineArguments(
            workspace, arguments.C, arguments.Bias, m, n, parts, workspaceStride, partStride, c.RowStride, flags));
    }

    /// <summary>The tiles that take these operands: all but one of bfloat16 copy rows 16 bytes at a time.</summary>
    private ReadOnlySpan<MatmulTile> Usable(Tensor a, Tensor b)
    {
        if (context.Compute != NumberFormat.BFloat16 || (IsAligned(a) && IsAligned(b)) || tiles[0] == MatmulTile.BFloat16Any) return tiles;
        if (forced is null) return new ReadOnlySpan<MatmulTile>(in MatmulTile.BFloat16Any);
        throw new DeviceException(
            context.DeviceName, $"{context.Operation}: variant {forced} takes rows that start at multiples of 16 bytes, found {a} and {b} with strides {a.RowStride} and {b.RowStride}",
            $"Use --kernel {Family}=any or none");
    }

    private static bool IsAligned(Tensor tensor) => MatrixArgument.Address(tensor) % 16 == 0 && tensor.RowStride % 8 == 0;

    private CudaKernel<TileArguments> Kernel(MatmulTile tile, MatmulForm form)
    {
        if (!kernels.TryGetValue((tile, form), out var kernel))
        {
            string symbol = $"matmul_{form.ToString().ToLowerInvariant()}_{tile.Name}_{context.Suffix}";
            kernels.Add((tile, form), kernel = new CudaKernel<TileArguments>(context, tile.Module, symbol, tile.Threads, tile.SharedBytes));
        }

        return kernel;
    }

    private CudaKernel<NaiveArguments> NaiveKernel(string to) =>
        new(context, "matmul_naive", $"matmul_naive_{context.Suffix}_to_{to}", NaiveSide * NaiveSide);

    private void RunNaive(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias)
    {
        var kernel = c.Buffer.Kind == BufferKind.Compute ? naiveToCompute : naiveToState;
        kernel.Value.Launch(new Grid((int)Packs.Blocks(c.Columns, NaiveSide), (int)Packs.Blocks(c.Rows, NaiveSide)), new NaiveArguments(
            MatrixArgument.Of(c), MatrixArgument.Of(a), MatrixArgument.Of(b), MatrixArgument.Address(bias), (int)form, accumulate ? 1 : 0));
    }

    private readonly record struct TileArguments(
        nint A, nint B, nint C, nint Bias, int M, int N, int K, long StrideA, long StrideB, long StrideC, long PartStride, int DepthOfPart, int Flags);

    private readonly record struct CombineArguments(
        nint Workspace, nint C, nint Bias, int M, int N, int Parts, long WorkspaceStride, long PartStride, long StrideC, int Flags);

    private readonly record struct NaiveArguments(MatrixArgument C, MatrixArgument A, MatrixArgument B, nint Bias, int Form, int Accumulate);
}
