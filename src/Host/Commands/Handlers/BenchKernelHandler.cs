using RepNoise.Host.Benchmarks;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;
using static System.FormattableString;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Times one operation. All preparation is over before the line that names the process.</summary>
internal static class BenchKernelHandler
{
    private const double WarmUpSeconds = 0.5;

    public static int Run(BenchKernelOptions options, Terminal terminal, CancellationToken stop)
    {
        using var lines = options.Json is null ? null : BenchHandler.Open(options.Json, append: true);
        var benchmark = options.Benchmark;
        using var device = Handling.CreateDevice(options.Device, options.Threads, ForcedVariant(options));
        var limits = device.MeasureLimits();
        int threads = BenchHandler.ThreadsOf(limits);
        using var kernel = PreparedKernel.Create(benchmark, options.Shape, device, options.Check);
        double call = Timing.WarmUp(device, kernel.Run, WarmUpSeconds);

        string what = string.Join(' ', ((string[])[benchmark.Name, benchmark.Describe(options.Shape), kernel.Variant]).Where(word => word.Length > 0));
        string calls = options.Repeats > 0 ? $"{options.Repeats} calls" : Invariant($"calls for {options.Seconds:g3} s");
        var (timing, peak) = NeighbouringPeak.Around(device, () =>
        {
            terminal.Error.WriteLine(Invariant($"pid {Environment.ProcessId}: {what}, warm at {BenchmarkTable.Duration(call)} a call; {calls} begin now"));
            return options.Repeats > 0
                ? Timing.Calls(device, kernel.Run, options.Repeats, stop)
                : Timing.For(device, kernel.Run, call, options.Seconds, stop);
        });

        var row = BenchmarkRow.Of(kernel, timing, limits, peak, threads);
        Write(terminal.Out, what, row);
        lines?.WriteLine(row.ToJson());
        return stop.IsCancellationRequested ? ExitCodes.Interrupted : ExitCodes.Done;
    }

    private static void Write(TextWriter output, string what, BenchmarkRow row)
    {
        var time = row.Seconds;
        output.WriteLine(Invariant($"{what}, device {row.Device}, {row.Threads} threads, pid {Environment.ProcessId}"));
        output.WriteLine(Invariant($"proof    {row.Proof}"));
        string spread = $"{BenchmarkTable.Duration(time.P20)} p20, {BenchmarkTable.Duration(time.P80)} p80";
        output.WriteLine($"time     {BenchmarkTable.Duration(time.Median)} median, {spread}");
        output.WriteLine(Invariant($"calls    {(long)time.Samples * time.CallsPerSample} ({time.Samples} samples of {time.CallsPerSample})"));
        output.WriteLine(Invariant($"rate     {row.Gflops:f1} GFLOP/s, {row.GigabytesPerSecond:f1} GB/s"));
        output.WriteLine(Invariant($"needs    {row.Flops / 1e6:g4} MFLOP, {row.Bytes / 1e6:g4} MB a call; {row.PeakBytes / 1e6:g4} MB of operands"));
        if (row.Bound is null) return;
        output.WriteLine(Invariant($"limit    {row.LimitGflops:f1} GFLOP/s just before and after, {row.LimitGigabytesPerSecond:f1} GB/s; ") +
            Invariant($"{100 * row.ShareOfLimit:f0} % of the {row.Bound} limit"));
    }

    /// <summary>The family that <c>--variant</c> forces.</summary>
    private static KernelChoice[] ForcedVariant(BenchKernelOptions options)
    {
        if (options.Variant is not { } name) return [];
        string device = options.Device, op = options.Benchmark.Name;
        if (Devices.List().All(info => info.Name != device)) return []; // the device's own refusal says more
        if (PreparedKernel.FamilyOf(options.Benchmark, device) is not { } family)
            throw new UsageException("--variant", $"device {device} has no variants of {op}", "none", "leave it out, or see repnoise devices --kernels");
        string usable = "one of " + string.Join(", ", family.Variants.Where(v => v.Refusal is null).Select(v => v.Name));
        var variant = family.Variants.FirstOrDefault(v => v.Name == name) ??
            throw new UsageException("--variant", $"{op} has no variant \"{name}\" on device {device}", usable, "see repnoise devices --kernels");
        return variant.Refusal is null
            ? [new KernelChoice(family.Name, name)]
            : throw new UsageException("--variant", $"{name} cannot run here: {variant.Refusal}", usable, "choose another, or leave it out");
    }
}
