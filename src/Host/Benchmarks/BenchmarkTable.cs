using System.Text;
using RepNoise.Kernels;
using RepNoise.Kernels.Cpu;
using static System.FormattableString;

namespace RepNoise.Host.Benchmarks;

/// <summary>Rows as a Markdown table under a head that says where they come from.</summary>
internal static class BenchmarkTable
{
    public const string Header =
        "| op | shape | variant | median | p20 | p80 | GFLOP/s | GB/s | peak | of the limit | bound |\n|---|---|---|---|---|---|---|---|---|---|---|\n";

    /// <summary>Machine, versions, device and its limits.</summary>
    public static string Preamble(Device device, DeviceLimits? limits, int threads) =>
        $"{RunEnvironment.Machine}; {RunEnvironment.Versions}; commit {RunEnvironment.Commit}\n\n" +
        $"Device {device.Name}: {device.Description}. {Describe(limits, threads)}\n\n" +
        "Every result was proven against the reference device before it was timed. GFLOP/s and GB/s count what an operation needs at least; over\n" +
        "100 % of the limit means that operands stay in a cache, whose rate is not the memory's, or that products ran in tile registers (amx)." +
        (limits is null ? "" : " Peak: GFLOP/s of multiply-adds a few milliseconds\nbefore and after a row, the mean, because clocks move; a row's share of the compute limit is of it, of the memory limit of the run's.") + "\n\n";

    /// <summary>Limits as a sentence.</summary>
    public static string Describe(DeviceLimits? limits, int threads) => limits switch
    {
        null => "It has no limits to compare with.",
        MachineLimits m => Invariant($"Limits of this run, {threads} threads: {m.Gflops:f0} GFLOP/s multiply-adds ({m.VectorBits} bits), ") +
            (m.TileGflops is { } tiles ? Invariant($"{tiles:f0} GFLOP/s float32 products in tile registers, ") : "") +
            Invariant($"{m.GigabytesPerSecond:f1} GB/s triad ({m.TriadGigabytesPerSecond:f1} ordinary, ") +
            Invariant($"{m.StreamedTriadGigabytesPerSecond:f1} streamed stores)."),
        _ => Invariant($"Limits of this run: {limits.Gflops:f0} GFLOP/s, {limits.GigabytesPerSecond:f1} GB/s."),
    };

    public static string Line(BenchmarkRow row)
    {
        string shape = string.Join(' ', row.Shape.Select(d => $"{d.Key}={d.Value}"));
        string share = row.ShareOfLimit is { } limit ? Invariant($"{100 * limit:f0} %") : "";
        string peak = row.LimitGflops is { } rate ? Invariant($"{rate:f0}") : "";
        var time = row.Seconds;
        return $"| {row.Op} | {shape} | {row.Variant} | {Duration(time.Median)} | {Duration(time.P20)} | {Duration(time.P80)} " +
            Invariant($"| {row.Gflops:f1} | {row.GigabytesPerSecond:f1} | {peak} | {share} | {row.Bound} |");
    }

    /// <summary>The whole document.</summary>
    public static string Document(string preamble, IEnumerable<BenchmarkRow> rows, string? afterword)
    {
        var text = new StringBuilder(preamble).Append(Header);
        foreach (var row in rows) text.Append(Line(row)).Append('\n');
        if (afterword is not null) text.Append('\n').Append(afterword).Append('\n');
        return text.ToString();
    }

    /// <summary>Three digits and a unit.</summary>
    public static string Duration(double seconds)
    {
        var (value, unit) = seconds switch
        {
            < 1e-6 => (seconds * 1e9, "ns"),
            < 1e-3 => (seconds * 1e6, "us"),
            < 1 => (seconds * 1e3, "ms"),
            _ => (seconds, "s"),
        };
        return value < 10 ? Invariant($"{value:f2} {unit}") : value < 100 ? Invariant($"{value:f1} {unit}") : Invariant($"{value:f0} {unit}");
    }
}
