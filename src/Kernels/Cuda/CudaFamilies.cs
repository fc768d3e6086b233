namespace RepNoise.Kernels.Cuda;

/// <summary>What decides which kernels a GPU can run.</summary>
/// <param name="Major">Of its compute capability.</param>
/// <param name="Minor">Of its compute capability.</param>
/// <param name="SharedBytesOfBlock">Most dynamic shared memory of a block.</param>
internal readonly record struct CudaLimits(int Major, int Minor, int SharedBytesOfBlock)
{
    /// <summary>Of a GPU that is not there, so that no kernel is refused for its sake.</summary>
    public static readonly CudaLimits None = new(9, 0, int.MaxValue);
}

/// <summary>The kernel families that have several variants; the shape decides where none is forced.</summary>
internal static class CudaFamilies
{
    public const string Matmul = "matmul", Attention = "attention", Norm = "norm";

    /// <summary>A thread an element, or a warp a row: what the other variants are compared with.</summary>
    public const string Naive = "naive";

    /// <summary>Every family of a device that computes in a format, variants in the order of preference for large shapes.</summary>
    public static IReadOnlyList<KernelFamily> List(NumberFormat compute, CudaLimits limits) =>
    [
        new(Matmul, [nameof(Device.Matmul), nameof(Device.LinearCrossEntropy)],
        [
            .. Tiles(compute).Select(tile => new KernelVariant(tile.Name, Refusal(tile, limits))), new(Naive, null),
        ]),
        new(Attention, [nameof(Device.AttentionForward), nameof(Device.AttentionBackward)],
        [
            .. compute == NumberFormat.BFloat16 ? (KernelVariant[])[new(Cuda.Attention.Flash, null), new(Cuda.Attention.FlashTall, null)] : [],
            new(Cuda.Attention.Simt, null), new(Naive, null),
        ]),
        new(Norm, [nameof(Device.RmsNormForward), nameof(Device.AddRmsNormForward), nameof(Device.RmsNormBackward)], [new("block", null), new("warp", null)]),
    ];

    private static IEnumerable<MatmulTile> Tiles(NumberFormat compute) => compute == NumberFormat.BFloat16
        ? [.. WarpGroupMatmul.Tiles, .. MatmulTile.BFloat16, MatmulTile.BFloat16Any]
        : [.. MatmulTile.Float32, MatmulTile.Tf32];

    private static string? Refusal(MatmulTile tile, CudaLimits limits)
    {
        if (WarpGroupMatmul.Tiles.Contains(tile) && (limits.Major, limits.Minor) is not (9, 0))
            return $"it needs compute capability 9.0, this is {limits.Major}.{limits.Minor}";
        return tile.SharedBytes <= limits.SharedBytesOfBlock
            ? null
            : $"a block of it needs {tile.SharedBytes >> 10} KiB of shared memory, this device gives {limits.SharedBytesOfBlock >> 10}";
    }
}
