namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family matmul. Variants: <c>naive</c>, a thread per element; in bfloat16 the tensor cores' <c>tall</c>, <c>square</c>,
/// <c>small</c> and <c>any</c> tiles, on Hopper <c>warpgroup_wide</c> and <c>warpgroup_square</c> too; in float32 <c>fma</c>,
/// <c>fma_small</c> and <c>tf32x3</c>. Where C has too few tiles for the device
/// K is split, and the parts' sums are added in order.
/// </summary>
internal sealed class Matmul
{
    /// <summary>The flag of matmul_epilogue.cuh for C in float32.</summary>
    public const int FloatOutput = 2;

    private const string Family = CudaFamilies.Matmul;
    private const string Naive = CudaFamilies.Naive;
    private const int NaiveSide = 16;
    private const int Accumulate = 1; // flags of matmul_epilogue.cuh
    private const int CombineThreads = 256;

    private readonly CudaContext context;
    private readonly MatmulTile[] tiles;
    private readonly string? forced;
    private readonly Dictionary<(MatmulTile, MatmulForm), CudaKernel<MatmulOperands>> kernels = [];
    private readonly Dictionary<MatmulTile, CudaKernel<LogitsOperands>> logitsKernels = [];
    private readonly WarpGroupMatmul? warpGroup;
    private readonly Lazy<CudaKernel<CombineArguments>> combine;
    private readonly Lazy<CudaKernel<NaiveArguments>> naiveToCompute;
    private readonly Lazy<CudaKernel<NaiveArguments>> naiveToState;

    public Matmul(CudaContext context, CudaVariants variants)
    {
        this.context = context;
        bool half = context.Compute == NumberFormat.BFloat16;
        tiles = MatmulTile.Fitting(half ? MatmulTile.BFloat16 : MatmulTile.Float32, context.SharedBytes.Block, context.SharedBytes.Multiprocessor);
        string missing = "";
        if (half) warpGroup = WarpGroupMatmul.Create(context, this, out missing);
        if (warpGroup is not null) tiles = [.. WarpGroupMatmul.Tiles, .. tiles];
        MatmulTile[] all = [.. tiles, half ? MatmulTile.BFloat16Any : MatmulTile.Tf32];
        forced = variants.Choose(Family, missing.Length == 0 ? "by shape" : $"by shape, without warpgroup tiles ({missing})");
        if (forced is not null && forced != Naive) tiles = [all.FirstOrDefault(tile => tile.Name == forced) ?? throw variants.Refused(Family, missing)];
        combine = new(() => new CudaKernel<CombineArguments>(context, all[^1].Module, $"matmul_combine_{context.Suffix}", CombineThreads));
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
        var (tile, parts, depth) = Choose(a, b, form);
        int flags = (accumulate ? Accumulate : 0) | (MatrixArgument.FormatOf(c) == NumberFormat.Float32 ? FloatOutput : 0);
        var operands = new MatmulOperands(
            MatrixArgument.Address(a), MatrixArgument.Address(b), MatrixArgument.Address(c), MatrixArgument.Address(bias),
            m, n, k, a.RowStride, b.RowStride, c.RowStride, 0, depth, flags);
        // Taken by the first product, split or not: no later batch waits for scratch to grow.
        nint workspace = ScratchBytes(a, b, form) is > 0 and var bytes ? context.Scratch(bytes) : 0;
        if (parts == 1)
        {
            Launch(tile, form, operands, parts);
            return;
        }

        // Sums of every part first, rows padded to 16 bytes.
        int workspaceStride = MatmulTile.PartStride(n);
        long partStride = (long)m * workspaceStride;
        Launch(tile, form, operands with { C = workspace, Bias = 0, StrideC = workspaceStride, PartStride = partStride, Flags = FloatOutput }, parts);
        combine.Value.Launch(new Grid((int)Packs.Blocks(n, CombineThreads * 4), m), new CombineArguments(
            workspace, operands.C, operands.Bias, m, n, parts, workspaceStride, partStride, c.RowStride, flags));
    }

    /// <summary>Scratch memory of a product, in bytes: the sums of its parts where its batch has the rows that take most.</summary>
    public long ScratchBytes(Tensor a, Tensor b, MatmulForm form)
    {
        var (m, n, k) = Device.MatmulShape(a, b, form);
        return m == 0 || n == 0 || forced == Naive ? 0 : MatmulTile.PartBytesOfAnyBatch(form, m, n, k);
    }

    /// <summary>Queues one product, or its parts, in one tile shape.</summary>
    public void Launch(MatmulTile tile, MatmulForm form, in MatmulOperands operands, int parts)
    {
        if (warpGroup is not null && WarpGroupMatmul.Tiles.Contains(tile))
            warpGroup.Launch(tile, form, operands, parts);
        else
            Kernel(tile, form).Launch(new Grid(tile.Count(operands.M, operands.N), parts), operands, tile.SharedBytes);
    }

    /// <summary>The tile that makes logits A B^T and sums their rows; null where the product has none that does, and they must be summed after it.</summary>
    public MatmulTile? LogitsTile(Tensor a, Tensor b)
    {
        if (forced == Naive) return null;
        var (m, n, k) = Device.MatmulShape(a, b, MatmulForm.NT);
        // Never in parts: a vocabulary has tiles enough, and the sums of a part are no logits.
        var tile = MatmulTile.Choose(Usable(a, b), MatmulForm.NT, m, n, k, context.Multiprocessors, mostParts: 1).Tile;
        return tile.StripColumns > 0 ? tile : null;
    }

    /// <summary>True where <see cref="LogitsTile"/> has a tile for these operands whatever their number of rows.</summary>
    public bool SumsLogits(Tensor a, Tensor b) =>
        forced != Naive && Array.TrueForAll(tiles, tile => tile.StripColumns > 0) && SuitCopies(a, b);

    /// <summary>Queues logits = a b^T in a tile of <see cref="LogitsTile"/>, and the sums of its rows.</summary>
    /// <param name="tile">The tile.</param>
    /// <param name="logits">(M, N), written; none where the sums are enough.</param>
    /// <param name="a">(M, K).</param>
    /// <param name="b">(N, K).</param>
    /// <param name="sums">Where the sums go, in strips of the tile's.</param>
    public void RunLogits(MatmulTile tile, Tensor logits, Tensor a, Tensor b, in RowSums sums)
    {
        var (m, n, k) = Device.MatmulShape(a, b, MatmulForm.NT);
        LaunchLogits(tile, new LogitsOperands(
            MatrixArgument.Address(a), MatrixArgument.Address(b), MatrixArgument.Address(logits), m, n, k, a.RowStride, b.RowStride, logits.RowStride, sums));
    }

    /// <summary>The same of operands anywhere.</summary>
    public void LaunchLogits(MatmulTile tile, in LogitsOperands operands)
    {
        if (warpGroup is not null && WarpGroupMatmul.Tiles.Contains(tile))
        {
            warpGroup.LaunchLogits(tile, operands);
            return;
        }

        if (!logitsKernels.TryGetValue(tile, out var kernel))
            logitsKernels.Add(tile, kernel = new CudaKernel<LogitsOperands>(context, tile.Module, $"matmul_logits_{tile.Name}_{context.Suffix}", tile.Threads, tile.SharedBytes));
        kernel.Launch(new Grid(tile.Count(operands.M, operands.N)), operands, tile.SharedBytes);
    }

    /// <summary>The tile, in how many parts of K, and K of each.</summary>
    private (MatmulTile Tile, int Parts, int Depth) Choose(Tensor a, Tensor b, MatmulForm form)
    {
        var (m, n, k) = Device.MatmulShape(a, b, form);
        var (tile, parts) = MatmulTile.Choose(Usable(a, b), form, m, n, k, context.Multiprocessors);
        int depth = tile.DepthOfPart(k, parts);
        return (tile, (int)Packs.Blocks(Math.Max(k, 1), depth), depth);
    }

    /// <summary>The tiles that take these operands: all but one of bfloat16 copy rows 16 bytes at a time.</summary>
    private ReadOnlySpan<MatmulTile> Usable(Tensor a, Tensor b)
    {
        if (SuitCopies(a, b) || tiles[0] == MatmulTile.BFloat16Any) return tiles;
        if (forced is null) return new ReadOnlySpan<MatmulTile>(in MatmulTile.BFloat16Any);
        throw new DeviceException(
            context.DeviceName, $"{context.Operation}: variant {forced} takes rows that start at multiples of 16 bytes, found {a} and {b} with strides {a.RowStride} and {b.RowStride}",
            $"Use --kernel {Family}=any or none");
    }

    /// <summary>True where every tile takes these operands: in bfloat16 their rows are copied 16 bytes at a time.</summary>
    private bool SuitCopies(Tensor a, Tensor b) =>
        context.Compute != NumberFormat.BFloat16 || (MatrixArgument.HasAlignedRows(a) && MatrixArgument.HasAlignedRows(b));

    private CudaKernel<MatmulOperands> Kernel(MatmulTile tile, MatmulForm form)
    {
        if (!kernels.TryGetValue((tile, form), out var kernel))
        {
            string symbol = $"matmul_{form.ToString().ToLowerInvariant()}_{tile.Name}_{context.Suffix}";
            kernels.Add((tile, form), kernel = new CudaKernel<MatmulOperands>(context, tile.Module, symbol, tile.Threads, tile.SharedBytes));
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

    private readonly record struct CombineArguments(
        nint Workspace, nint C, nint Bias, int M, int N, int Parts, long WorkspaceStride, long PartStride, long StrideC, int Flags);

    private readonly record struct NaiveArguments(MatrixArgument C, MatrixArgument A, MatrixArgument B, nint Bias, int Form, int Accumulate);
}
