namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family mmd_gaussian. The runs of equal positions are cut into parts whose number follows from the number of entries alone; the
/// plan's scratch holds every part's 64 sums of every pair of tiles, then the distances.
/// </summary>
internal sealed class MmdGaussian(CudaContext context)
{
    private const string Family = "mmd_gaussian";
    private const int Threads = 128;
    private const int FinishThreads = 256;
    private const int Tile = 8;
    private const int Sums = Tile * Tile;
    private const int MostParts = 128;
    private const int EntriesPerPart = 8;

    private readonly CudaKernel<DistancesArguments> distances = new(context, Family, $"mmd_gaussian_distances_{context.Suffix}", Threads);
    private readonly CudaKernel<FinishArguments> finish = new(context, Family, "mmd_gaussian_finish", FinishThreads);
    private readonly CudaKernel<BackwardArguments> backward = new(context, Family, $"mmd_gaussian_backward_{context.Suffix}", Threads);

    public static long ScratchLength(int maxPairs, int maxRows) =>
        (long)TilePairs(Tiles(maxPairs)) * Parts(maxRows) * Sums + 4L * maxPairs * maxPairs;

    public void Forward(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise)
    {
        int tiles = Tiles(plan.PairCount), parts = Parts(plan.RowCount);
        nint partials = MatrixArgument.Address(Tensor.Of(plan.Scratch, 1, 1));
        nint squares = partials + checked((nint)((long)TilePairs(tiles) * parts * Sums * sizeof(double)));
        distances.Launch(new Grid(parts, TilePairs(tiles)), new DistancesArguments(partials, MatrixArgument.Of(x), Entries.Of(plan, noise), tiles));
        finish.Launch(new Grid(1), new FinishArguments(
            MatrixArgument.Address(mmd), MatrixArgument.Of(coefficients), squares, partials, plan.PairCount, tiles, parts));
    }

    public void Backward(Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor)
    {
        if (x.Length == 0) return;
        int quads = (x.Columns + 3) / 4;
        backward.Launch(new Grid(x.Rows, (int)Packs.Blocks(quads, Threads)), new BackwardArguments(
            MatrixArgument.Of(dX), MatrixArgument.Of(coefficients), MatrixArgument.Of(x), Entries.Of(plan, noise), (float)factor));
    }

    /// <summary>Tiles of x; there are as many of noise.</summary>
    private static int Tiles(int pairs) => (pairs + Tile - 1) / Tile;

    private static int TilePairs(int tiles) => tiles * (2 * tiles + 1);

    private static int Parts(int rows) => (int)Math.Clamp(Packs.Blocks(rows, EntriesPerPart), 1, MostParts);

    private readonly record struct DistancesArguments(nint Partials, MatrixArgument X, Entries Entries, int Tiles);

    private readonly record struct FinishArguments(
        nint Mmd, MatrixArgument Coefficients, nint Distances, nint Partials, int Pairs, int Tiles, int Parts);

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
