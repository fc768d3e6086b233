using RepNoise.Host.Benchmarks;
using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;
using RepNoise.Kernels.Cpu;
using static System.FormattableString;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Times the suite: a table on standard output as it grows and, on request, the rows in files.</summary>
internal static class BenchHandler
{
    /// <summary>Limits that differ by more than this between start and end are worth a line.</summary>
    private const double Drift = 0.1;

    public static int Run(BenchOptions options, Terminal terminal, CancellationToken stop)
    {
        if (options.Json is not null && Path.GetFullPath(TableFile(options.Json)) == Path.GetFullPath(options.Json))
        {
            throw new UsageException(
                "--json", $"\"{options.Json}\" ends in .md, where the table goes", "a file with another ending, such as .jsonl", "rename it");
        }

        using var lines = options.Json is null ? null : Open(options.Json, append: false);
        using var device = Handling.CreateDevice(options.Device, options.Threads, options.Kernels);
        var limits = device.MeasureLimits();
        int threads = ThreadsOf(limits);
        string preamble = BenchmarkTable.Preamble(device, limits, threads);
        terminal.Out.Write(preamble);
        terminal.Out.Write(BenchmarkTable.Header);

        var rows = new List<BenchmarkRow>();
        var suite = new KernelSuite(options.Benchmarks, options.Models, options.Seconds);
        foreach (var row in suite.Run(device, limits, threads, stop))
        {
            rows.Add(row);
            terminal.Out.WriteLine(BenchmarkTable.Line(row));
            lines?.WriteLine(row.ToJson());
        }

        string? afterword = limits is null ? null : Afterword(limits, device.MeasureLimits()!, threads);
        if (afterword is not null) terminal.Out.WriteLine("\n" + afterword);
        if (options.Json is not null) File.WriteAllText(TableFile(options.Json), BenchmarkTable.Document(preamble, rows, afterword));
        return stop.IsCancellationRequested ? ExitCodes.Interrupted : ExitCodes.Done;
    }

    /// <summary>Threads that a measurement of limits used; 1 for the devices without one.</summary>
    public static int ThreadsOf(DeviceLimits? limits) => (limits as MachineLimits)?.Threads ?? 1;

    /// <summary>The table beside a file of rows.</summary>
    private static string TableFile(string json) => Path.ChangeExtension(json, ".md");

    /// <summary>A file for rows, opened before anything is measured: a path that cannot be written is told at once.</summary>
    public static StreamWriter Open(string path, bool append)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        return new StreamWriter(path, append) { NewLine = "\n", AutoFlush = true };
    }

    private static string? Afterword(DeviceLimits start, DeviceLimits end, int threads)
    {
        double compute = end.Gflops / start.Gflops - 1, memory = end.GigabytesPerSecond / start.GigabytesPerSecond - 1;
        return Math.Max(Math.Abs(compute), Math.Abs(memory)) < Drift
            ? null
            : Invariant($"The machine changed meanwhile, multiply-adds by {compute:+0%;-0%;0%}, memory by {memory:+0%;-0%;0%}; shares of compute are of each row's own peak, ") +
                $"shares of memory of the limit at the start. At the end: {BenchmarkTable.Describe(end, threads)}";
    }
}
