using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>Every chosen operation at the shapes of the chosen models, each proven right and then timed.</summary>
/// <param name="Benchmarks">Operations.</param>
/// <param name="Models">Whose shapes.</param>
/// <param name="Seconds">Sampling time of one row; half as much, or more at an operation's first shape, goes before it to warm up.</param>
internal sealed record KernelSuite(IReadOnlyList<KernelBenchmark> Benchmarks, IReadOnlyList<SuiteModel> Models, double Seconds)
{
    // The just-in-time compiler replaces a method that has run for about a tenth of a second; nothing may be timed across that.
    private const double FirstWarmUpSeconds = 0.4;

    /// <summary>Every operation and shape in order; equal shapes of two models once.</summary>
    public IEnumerable<(KernelBenchmark Benchmark, int[] Shape)> Entries =>
        from benchmark in Benchmarks
        from shape in Models.SelectMany(benchmark.SuiteShapes).DistinctBy(KernelBenchmark.Typed)
        select (benchmark, shape);

    /// <summary>Runs the entries and hands out each row as it comes.</summary>
    /// <param name="device">Where.</param>
    /// <param name="limits">Measured on it just before, or null; each row has a multiply-add peak of its own besides.</param>
    /// <param name="threads">Threads of the device.</param>
    /// <param name="stop">Ends the run after the current row.</param>
    /// <exception cref="Diagnostics.InputException">A result is wrong.</exception>
    public IEnumerable<BenchmarkRow> Run(Device device, DeviceLimits? limits, int threads, CancellationToken stop)
    {
        KernelBenchmark? last = null;
        foreach (var (benchmark, shape) in Entries)
        {
            if (stop.IsCancellationRequested) yield break;
            using var kernel = PreparedKernel.Create(benchmark, shape, device, check: true);
            double call = Timing.WarmUp(device, kernel.Run, benchmark == last ? Seconds / 2 : Math.Max(FirstWarmUpSeconds, Seconds / 2));
            last = benchmark;
            var (timing, peak) = NeighbouringPeak.Around(device, () => Timing.For(device, kernel.Run, call, Seconds, stop));
            yield return BenchmarkRow.Of(kernel, timing, limits, peak, threads);
        }
    }
}
