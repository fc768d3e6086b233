using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Benchmarks;

/// <summary>
/// Every operation of the contract as a benchmark, forward and backward apart; one file a group of families. Where an operation
/// has forms that cost differently (a product's transpositions, gradients or none) each form is one.
/// </summary>
internal static partial class KernelBenchmarks
{
    // Lazy, because the order in which fields of several files are set is nobody's promise.
    private static readonly Lazy<KernelBenchmark[]> Listed = new(() =>
        [.. Embedding, .. Norm, .. Matmul, .. Rotary, .. Attention, .. Swiglu, .. LinearCrossEntropy, .. MmdGaussian, .. AdamW, .. Elementwise]);

    /// <summary>In the order of a layer, losses and optimizer after it.</summary>
    public static IReadOnlyList<KernelBenchmark> All => Listed.Value;

    /// <summary>The benchmark of a name.</summary>
    /// <param name="name">As typed.</param>
    /// <param name="option">The option that names it, for the message.</param>
    /// <exception cref="UsageException">There is none.</exception>
    public static KernelBenchmark Find(string name, string option)
    {
        if (All.FirstOrDefault(benchmark => benchmark.Name == name) is { } found) return found;
        string nearest = NearestName.Of(name, All.Select(b => b.Name)) is { } near ? $"; the nearest is {near}" : "";
        throw new UsageException(option, $"there is no operation \"{name}\"", "one of " + string.Join(", ", All.Select(b => b.Name)) + nearest,
            "see repnoise bench kernel --help");
    }
}
