namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family norm, and sums over rows. Variants: <c>warp</c>, a warp per group of columns; <c>block</c>, a block per group. By itself
/// the device takes a block where a group is long enough to give every thread of one a pack.
/// </summary>
internal sealed class Norm
{
    private const string Family = CudaFamilies.Norm;
    private const int Threads = 256;
    private const int MostBlocks = 8192;

    // A team keeps the weights from group to group: with eight groups they are an eighth of what it reads.
    private const int GroupsPerTeam = 8;

    // Four blocks for each of an H100's 132 multiprocessors, which is what registers allow. Not the device's own number: a launch
    // follows from the shape alone.
    private const int ResidentBlocks = 528;

    // Of a backward that sums the weight's gradient too: two blocks a multiprocessor, because of what they keep in registers. A row of
    // partial sums is written and read again: with sixteen groups a block they are a twelfth of what else it moves, or less.
    private const int SummingBlocks = 264;
    private const int GroupsPerSum = 16;
    private const int BlockColumns = Threads * Packs.Size / 2;
    private const int ColumnsPerBlock = 256;
    private const int RowsPerChunk = 64;
    private const int MostChunks = 128;
    private const int FinishColumns = 32;

    private readonly CudaContext context;
    private readonly Team warp;
    private readonly Team block;
    private readonly string? forced;
    private readonly Team longBlock;
    private readonly CudaKernel<BackwardInputArguments> warpInput;
    private readonly CudaKernel<BackwardInputArguments> blockInput;
    private readonly CudaKernel<WeightArguments> weightPartial;
    private readonly CudaKernel<SumArguments> sumPartial;
    private readonly CudaKernel<FinishArguments> finish;
    private readonly CudaKernel<FinishArguments> finishNarrow;

    public Norm(CudaContext context, CudaVariants variants)
    {
        this.context = context;
        forced = variants.Choose(Family, "warp or block by columns");
        warp = new Team(context, "warp", Threads / 32, 4 * 32 * Packs.Size);
        block = new Team(context, "block", 1, 2 * Threads * Packs.Size);
        longBlock = new Team(context, "long", 1, 4 * Threads * Packs.Size);
        warpInput = new CudaKernel<BackwardInputArguments>(context, Family, $"rms_norm_backward_input_warp_{context.Suffix}", Threads);
        blockInput = new CudaKernel<BackwardInputArguments>(context, Family, $"rms_norm_backward_input_block_{context.Suffix}", Threads);
        weightPartial = new CudaKernel<WeightArguments>(context, Family, $"rms_norm_weight_partial_{context.Suffix}", Threads);
        sumPartial = new CudaKernel<SumArguments>(context, Family, $"column_sums_partial_{context.Suffix}", Threads);
        finish = new CudaKernel<FinishArguments>(context, Family, "column_sums_finish_f32", Threads);
        finishNarrow = new CudaKernel<FinishArguments>(context, Family, "column_sums_finish_bf16", Threads);
    }

    public void Forward(Tensor output, Tensor rstd, Tensor x, Tensor weight, double epsilon)
    {
        var team = TeamFor(weight.Columns);
        team.Forward.Launch(team.Grid(rstd), new ForwardArguments(
            MatrixArgument.Of(output), MatrixArgument.Of(rstd), MatrixArgument.Of(x), MatrixArgument.Of(weight), (float)epsilon));
    }

    public void AddForward(Tensor output, Tensor sum, Tensor rstd, Tensor x, Tensor addend, Tensor weight, double epsilon)
    {
        var team = TeamFor(weight.Columns);
        team.AddForward.Launch(team.Grid(rstd), new AddForwardArguments(
            MatrixArgument.Of(output), MatrixArgument.Of(sum), MatrixArgument.Of(rstd), MatrixArgument.Of(x), MatrixArgument.Of(addend),
            MatrixArgument.Of(weight), (float)epsilon));
    }

    public void Backward(Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate)
    {
        if (rstd.Length == 0) return;
        var team = TeamFor(weight.Columns);
        nint partials = context.Scratch(BackwardScratchBytes(dX, dOutput, x, weight, rstd));
        if (KeepsGroups(team, dX, dOutput, x, weight))
        {
            var blocks = team.SummingGrid(rstd.Length);
            team.Backward.Launch(blocks, new BackwardArguments(
                MatrixArgument.Of(dX), partials, MatrixArgument.Of(dOutput), MatrixArgument.Of(x), MatrixArgument.Of(weight),
                MatrixArgument.Of(rstd), accumulate ? 1 : 0));
            Finish(dWeight, partials, weight.Columns, blocks.X);
            return;
        }

        // The weight's gradient first, because dX may be dOutput.
        var (grid, chunk) = Chunks(rstd.Length, weight.Columns);
        weightPartial.Launch(grid, new WeightArguments(
            partials, MatrixArgument.Of(dOutput), MatrixArgument.Of(x), MatrixArgument.Of(rstd), weight.Columns, chunk));
        Finish(dWeight, partials, weight.Columns, grid.Y);
        (team == warp ? warpInput : blockInput).Launch(team.Grid(rstd), new BackwardInputArguments(
            MatrixArgument.Of(dX), MatrixArgument.Of(dOutput), MatrixArgument.Of(x), MatrixArgument.Of(weight), MatrixArgument.Of(rstd),
            accumulate ? 1 : 0));
    }

    /// <summary>sums (1, C) += values (R, C) over rows.</summary>
    public void AddColumnSums(Tensor sums, Tensor values)
    {
        var (grid, chunk) = Chunks(values.Rows, values.Columns);
        nint partials = context.Scratch(ScratchBytes(values.Columns));
        sumPartial.Launch(grid, new SumArguments(partials, MatrixArgument.Of(values), chunk));
        if (!grid.IsEmpty) Finish(sums, partials, values.Columns, grid.Y);
    }

    /// <summary>Scratch memory of sums over rows, in bytes: those of the most chunks there are.</summary>
    public static long ScratchBytes(int columns) => (long)MostChunks * columns * sizeof(float);

    /// <summary>Scratch memory of <see cref="Backward"/>, in bytes: rows of partial sums, no fewer for fewer groups.</summary>
    public long BackwardScratchBytes(Tensor dX, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd)
    {
        var team = TeamFor(weight.Columns);
        long rows = KeepsGroups(team, dX, dOutput, x, weight) ? team.SummingGrid(rstd.Length).X : MostChunks;
        return Math.Max(1, rows) * weight.Columns * sizeof(float);
    }

    private void Finish(Tensor sums, nint partials, int columns, int chunks)
    {
        var kernel = MatrixArgument.FormatOf(sums) == NumberFormat.BFloat16 ? finishNarrow : finish;
        kernel.Launch(new Grid((int)Packs.Blocks(columns, FinishColumns)), new FinishArguments(MatrixArgument.Address(sums), partials, columns, chunks));
    }

    /// <summary>Blocks of 256 columns by chunks of rows, and the rows of a chunk: both follow from the shape alone.</summary>
    private static (Grid Grid, int Chunk) Chunks(long rows, int columns)
    {
        int chunk = (int)Math.Max(RowsPerChunk, Packs.Blocks(rows, MostChunks));
        return (new Grid((int)Packs.Blocks(columns, ColumnsPerBlock), (int)Packs.Blocks(rows, chunk)), chunk);
    }

    /// <summary>True where whole groups stay in registers, and so the sums of a weight's gradient.</summary>
    private bool KeepsGroups(Team team, Tensor dX, Tensor dOutput, Tensor x, Tensor weight) =>
        weight.Columns <= team.HeldColumns && weight.Columns % Packs.Size == 0
        && MatrixArgument.HasAlignedRows(dX) && MatrixArgument.HasAlignedRows(dOutput) && MatrixArgument.HasAlignedRows(x)
        && MatrixArgument.HasAlignedRows(weight);

    private Team TeamFor(int columns)
    {
        if ((forced ?? (columns >= BlockColumns ? "block" : "warp")) == "warp") return warp;
        return columns <= block.HeldColumns ? block : longBlock;
    }

    /// <summary>The kernels of one variant, or of blocks with more registers for longer groups.</summary>
    /// <param name="context">Where they run.</param>
    /// <param name="name">Of the variant.</param>
    /// <param name="groupsPerBlock">Groups that a block takes side by side.</param>
    /// <param name="heldColumns">Of a group, that its threads keep in registers.</param>
    private sealed class Team(CudaContext context, string name, int groupsPerBlock, int heldColumns)
    {
        public CudaKernel<ForwardArguments> Forward { get; } = new(context, Family, $"rms_norm_forward_{name}_{context.Suffix}", Threads);

        public CudaKernel<AddForwardArguments> AddForward { get; } = new(context, Family, $"add_rms_norm_forward_{name}_{context.Suffix}", Threads);

        public CudaKernel<BackwardArguments> Backward { get; } = new(context, Family, $"rms_norm_backward_{name}_{context.Suffix}", Threads);

        public int HeldColumns => heldColumns;

        /// <summary>Blocks of a backward that sums the weight's gradient, each into a row of its own: from the shape alone.</summary>
        public Grid SummingGrid(long groups)
        {
            long blocks = Packs.Blocks(groups, groupsPerBlock);
            return new Grid((int)Math.Clamp(groups / GroupsPerSum, Math.Min(blocks, SummingBlocks), Math.Min(blocks, ResidentBlocks)));
        }

        /// <summary>A block for each group as long as all run at once; then, before there are more, several groups for each.</summary>
        public Grid Grid(Tensor rstd)
        {
            long blocks = Packs.Blocks(rstd.Length, groupsPerBlock);
            return new Grid((int)Math.Clamp(blocks / GroupsPerTeam, Math.Min(blocks, ResidentBlocks), MostBlocks));
        }
    }

    private readonly record struct ForwardArguments(
        MatrixArgument Output, MatrixArgument Rstd, MatrixArgument X, MatrixArgument Weight, float Epsilon);

    private readonly record struct AddForwardArguments(
        MatrixArgument Output, MatrixArgument Sum, MatrixArgument Rstd, MatrixArgument X, MatrixArgument Addend, MatrixArgument Weight, float Epsilon);

    private readonly record struct BackwardArguments(
        MatrixArgument DX, nint Partials, MatrixArgument DOutput, MatrixArgument X, MatrixArgument Weight, MatrixArgument Rstd, int Accumulate);

    private readonly record struct BackwardInputArguments(
        MatrixArgument DX, MatrixArgument DOutput, MatrixArgument X, MatrixArgument Weight, MatrixArgument Rstd, int Accumulate);

    private readonly record struct WeightArguments(
        nint Partials, MatrixArgument DOutput, MatrixArgument X, MatrixArgument Rstd, int Columns, int Chunk);

    private readonly record struct SumArguments(nint Partials, MatrixArgument Values, int Chunk);

    private readonly record struct FinishArguments(nint Sums, nint Partials, int Columns, int Chunks);
}
