namespace RepNoise.Kernels.Cuda;

/// <summary>A tile shape of the matrix products, as native/cuda compiles it.</summary>
/// <param name="Name">Part of its kernels' symbols.</param>
/// <param name="Module">Where the kernels are.</param>
/// <param name="BlockM">Rows of C a block.</param>
/// <param name="BlockN">Columns of C a block.</param>
/// <param name="BlockK">Values of K a stage.</param>
/// <param name="Threads">Threads a block.</param>
/// <param name="SharedBytes">Dynamic shared memory a block.</param>
/// <param name="PerMultiprocessor">Blocks that run on a multiprocessor at the same time.</param>
/// <param name="Speed">Products a multiprocessor does with it, relative to the best tile of its format.</param>
/// <param name="SpeedTN">The same in form TN, which reads both operands transposed; 0 where it is no other.</param>
/// <param name="StripColumns">Columns of C that a warp has, where there is a kernel that makes logits with it and sums their rows; else 0.</param>
internal sealed record MatmulTile(
    string Name, string Module, int BlockM, int BlockN, int BlockK, int Threads, int SharedBytes, int PerMultiprocessor, double Speed, double SpeedTN = 0, int StripColumns = 0)
{
    private const string BFloat16Module = "matmul";
    private const string Float32Module = "matmul_float32";

    // Bytes of sums a split may write: more costs more than idle multiprocessors do.
    private const long MostPartBytes = 32 << 20;
    private const int MostParts = 16;
    private const int MostRowsOfSplit = 65535; // rows are a grid's second dimension when parts are combined
    private const int LeastDepthOfPart = 256;

    /// <summary>
    /// Tiles for bfloat16 rows that start at multiples of 16 bytes. Their speeds are those of an H100 (docs/kernels/matmul-cuda.md): with
    /// them the choice is within 7 % of the fastest of the three on 13 of 14 measured shapes, 17 % below it with 16 rows of A.
    /// </summary>
    public static readonly MatmulTile[] BFloat16 =
    [
        new("tall", BFloat16Module, 256, 128, 64, 256, 3 * (256 + 128) * 64 * 2, 1, 1, 0.93, 64),
        new("square", BFloat16Module, 128, 128, 64, 128, 3 * (128 + 128) * 64 * 2, 2, 0.97, 1, 64),
        new("small", BFloat16Module, 64, 64, 64, 128, 3 * (64 + 64) * 64 * 2, 4, 0.62, 0.75, 32),
    ];

    /// <summary>The tile for bfloat16 rows that start anywhere.</summary>
    public static readonly MatmulTile BFloat16Any = new("any", BFloat16Module, 64, 64, 64, 128, 3 * (64 + 64) * 64 * 2, 2, 0.2);

    /// <summary>Tiles for float32, exact to its rounding.</summary>
    public static readonly MatmulTile[] Float32 =
    [
        new("fma", Float32Module, 128, 128, 16, 256, 4 * 16 * (128 + 4) * 4, 2, 1, StripColumns: 128),
        new("fma_small", Float32Module, 64, 64, 16, 256, 4 * 16 * (64 + 4) * 4, 3, 0.8, StripColumns: 64),
    ];

    /// <summary>Float32 on the tensor cores: three products of tf32 parts. Its ring is largest where K is contiguous.</summary>
    public static readonly MatmulTile Tf32 = new("tf32x3", Float32Module, 128, 128, 16, 256, 4 * 2 * 128 * (16 + 4) * 4, 2, 1.5);

    /// <summary>Tiles that cover C.</summary>
    public int Count(int m, int n) => checked((int)(Packs.Blocks(m, BlockM) * Packs.Blocks(n, BlockN)));

    /// <summary>
    /// The tiles whose shared memory a device has, with as many blocks a multiprocessor as it has room for: 96 KiB a block fits a GPU of
    /// compute capability 8.6, 144 KiB needs 8.0 or 9.0, and of 96 KiB an A100's multiprocessor holds one block where an H100's holds two.
    /// </summary>
    /// <param name="tiles">All that there are.</param>
    /// <param name="perBlock">Most dynamic shared memory of a block, in bytes.</param>
    /// <param name="perMultiprocessor">Shared memory of a multiprocessor, in bytes.</param>
    public static MatmulTile[] Fitting(ReadOnlySpan<MatmulTile> tiles, int perBlock, int perMultiprocessor)
    {
        const int ReservedBytes = 1024; // what the driver takes of each block's
        var fitting = new List<MatmulTile>();
        foreach (var tile in tiles)
        {
            int room = perMultiprocessor / (tile.SharedBytes + ReservedBytes);
            if (tile.SharedBytes <= perBlock) fitting.Add(tile with { PerMultiprocessor = Math.Clamp(room, 1, tile.PerMultiprocessor) });
        }

        return [.. fitting];
    }

    /// <summary>The tile and the number of parts of K, up to a most, that keep a device's multiprocessors busiest; a function of its arguments alone.</summary>
    public static (MatmulTile Tile, int Parts) Choose(
        ReadOnlySpan<MatmulTile> tiles, MatmulForm form, int m, int n, int k, int multiprocessors, int mostParts = MostParts)
    {
        var best = (Tile: tiles[0], Parts: 1);
        double least = double.PositiveInfinity;
        foreach (var tile in tiles)
        {
            for (int parts = 1; parts <= mostParts; parts *= 2)
            {
                if (parts > 1 && (m > MostRowsOfSplit || k / parts < LeastDepthOfPart || PartBytes(m, n, parts) > MostPartBytes)) break;
                double cost = tile.Cost(form, m, n, k, parts, multiprocessors);
                if (cost < least) (least, best) = (cost, (tile, parts));
            }
        }

        return best;
    }

    /// <summary>Elements between rows of the parts' sums: whole 16 bytes.</summary>
    public static int PartStride(int n) => (n + 3) / 4 * 4;

    /// <summary>Bytes of the parts' sums.</summary>
    public static long PartBytes(int m, int n, int parts) => (long)parts * m * PartStride(n) * sizeof(float);

    /// <summary>
    /// Bytes that no product takes for its parts, whatever the rows of its batch: m in NT and NN, k in TN. A light batch may be split where a
    /// heavier one is not.
    /// </summary>
    public static long PartBytesOfAnyBatch(MatmulForm form, int m, int n, int k)
    {
        if (form != MatmulForm.TN) return k / 2 < LeastDepthOfPart || PartBytes(1, n, 2) > MostPartBytes ? 0 : MostPartBytes;
        int parts = MostParts;
        while (parts > 1 && (m > MostRowsOfSplit || PartBytes(m, n, parts) > MostPartBytes)) parts /= 2;
        return parts == 1 ? 0 : PartBytes(m, n, parts);
    }

    /// <summary>K of each part but the last: whole stages.</summary>
    public int DepthOfPart(int k, int parts) => parts == 1 ? Math.Max(k, 1) : (int)(Packs.Blocks(Packs.Blocks(k, parts), BlockK) * BlockK);

    /// <summary>Rounds of blocks times what a block does, in products of the best tile; a split also writes and reads its sums.</summary>
    private double Cost(MatmulForm form, int m, int n, int k, int parts, int multiprocessors)
    {
        double speed = form == MatmulForm.TN && SpeedTN > 0 ? SpeedTN : Speed;
        long blocks = (long)Count(m, n) * parts;
        // A round that is not full ends sooner: its blocks have the multiprocessor to themselves.
        long full = blocks / (multiprocessors * PerMultiprocessor), rest = blocks - full * multiprocessors * PerMultiprocessor;
        double rounds = full * PerMultiprocessor + Packs.Blocks(rest, multiprocessors);
        double depth = (double)k / parts + 2 * BlockK;
        double split = parts == 1 ? 0 : 64.0 * m * n * (parts + 1) / multiprocessors;
        return rounds * BlockM * BlockN * depth / speed + split;
    }
}
