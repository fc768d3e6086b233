namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family mmd_gaussian. Grids follow from the shapes alone, and with them the order of the sums. The plan's scratch holds the sums of every block of
/// both kernels of distances, then their totals.
/// </summary>
internal sealed class MmdGaussian(CudaContext context)
{
    /// <summary>Most pairs of a batch: those whose pairs of tiles a grid's third dimension, of 65535, can count.</summary>
    public const int MostPairs = 362 * Tile;

    private const string Family = "mmd_gaussian";
    private const int Threads = 128;
    private const int FinishThreads = 512;
    private const int Tile = 8;
    private const int WithinSums = 128;
    private const int AcrossSums = 256;
    private const int DistanceQuads = 32;

    // Four blocks for each multiprocessor of an H100, which holds two to four at once, by how many registers the assembler takes: no turn is left half empty.
    private const int MostBlocks = 528;

    // More would read little of x for what each block reads besides.
    private const int MostSlices = 8;

    private readonly CudaKernel<DistancesArguments> within = new(context, Family, $"mmd_gaussian_distances_within_{context.Suffix}", Threads);
    private readonly CudaKernel<DistancesArguments> across = new(context, Family, $"mmd_gaussian_distances_across_{context.Suffix}", Threads);
    private readonly CudaKernel<FinishArguments> finish = new(context, Family, "mmd_gaussian_finish", FinishThreads);
    private readonly CudaKernel<BackwardArguments> backward = new(context, Family, $"mmd_gaussian_backward_{context.Suffix}", Threads);

    public static long ScratchLength(int maxPairs, int maxRows)
    {
        long tiles = Tiles(maxPairs), ofEach = MostSlices * Math.Max(1, Packs.Blocks(maxRows, Tile));
        return (Most(tiles) * WithinSums) + (Most(TilePairs(tiles)) * AcrossSums) + (tiles * tiles * WithinSums);

        // Fewer pairs or rows never take more.
        long Most(long groups) => Math.Min(Math.Max(MostBlocks, groups), groups * ofEach);
    }

    public void Forward(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise)
    {
        int tiles = Tiles(plan.PairCount), tilePairs = (int)TilePairs(tiles);
        var (tileGrid, pairGrid) = (Over(x, plan, tiles, DistanceQuads), Over(x, plan, tilePairs, DistanceQuads));
        int tileBlocks = tileGrid.X * tileGrid.Y, pairBlocks = pairGrid.X * pairGrid.Y;
        nint partials = MatrixArgument.Address(Tensor.Of(plan.Scratch, 1, 1)), acrossPartials = partials + Bytes(tiles, tileBlocks, WithinSums);
        within.Launch(tileGrid, new DistancesArguments(partials, MatrixArgument.Of(x), Entries.Of(plan, noise)));
        across.Launch(pairGrid, new DistancesArguments(acrossPartials, MatrixArgument.Of(x), Entries.Of(plan, noise)));
        finish.Launch(new Grid(1), new FinishArguments(
            MatrixArgument.Address(mmd), MatrixArgument.Of(coefficients), acrossPartials + Bytes(tilePairs, pairBlocks, AcrossSums), partials,
            plan.PairCount, tileBlocks, pairBlocks));
    }

    public void Backward(Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor)
    {
        if (x.Length == 0) return;
        backward.Launch(Over(x, plan, Tiles(plan.PairCount), Threads), new BackwardArguments(
            MatrixArgument.Of(dX), MatrixArgument.Of(coefficients), MatrixArgument.Of(x), Entries.Of(plan, noise), (float)factor));
    }

    /// <summary>
    /// Parts of the entries along x, of whole runs, slices of the channels along y, and along z as many as there are of `groups`. Parts come first: what a block
    /// reads once, it then uses longest.
    /// </summary>
    private static Grid Over(Tensor x, MmdPlan plan, int groups, int step)
    {
        long most = Math.Max(1, MostBlocks / Math.Max(1, groups)), steps = Packs.Blocks(x.Columns, 4 * step);
        long parts = Math.Clamp(Packs.Blocks(x.Rows, Math.Max(Tile, plan.PairCount)), 1, most);
        return new Grid((int)parts, (int)Math.Clamp(most / parts, 1, Math.Clamp(steps, 1, MostSlices)), groups);
    }

    private static nint Bytes(long groups, long blocks, long sums) => checked((nint)(groups * blocks * sums * sizeof(double)));

    private static int Tiles(int pairs) => (pairs + Tile - 1) / Tile;

    /// <summary>Two different ones.</summary>
    private static long TilePairs(long tiles) => tiles * (tiles - 1) / 2;

    private readonly record struct DistancesArguments(nint Partials, MatrixArgument X, Entries Entries);

    private readonly record struct FinishArguments(
        nint Mmd, MatrixArgument Coefficients, nint Totals, nint Partials, int Pairs, int WithinBlocks, int AcrossBlocks);

    private readonly record struct BackwardArguments(
        MatrixArgument DX, MatrixArgument Coefficients, MatrixArgument X, Entries Entries, float Factor);

    /// <summary><c>Entries</c> of mmd_gaussian.cu.</summary>
    private readonly record struct Entries(
        nint Pairs, nint Positions, nint PairIds, int Rows, int PairCount, uint Key0, uint Key1, uint Step, int Layer, MatrixArgument Buffer)
    {
        public static Entries Of(MmdPlan plan, NoiseSource noise)
        {
            var (key0, key1) = Philox.Key(noise.Seed, PhiloxPurpose.Noise);
            return new Entries(
                MatrixArgument.Address(plan.DevicePairs), MatrixArgument.Address(plan.DevicePositions), MatrixArgument.Address(plan.DevicePairIds),
                plan.RowCount, plan.PairCount, key0, key1, noise.Step, noise.Layer, MatrixArgument.Of(noise.Buffer));
        }
    }
}
