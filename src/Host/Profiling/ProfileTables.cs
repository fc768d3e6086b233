using System.Diagnostics;
using System.Globalization;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;

namespace RepNoise.Host.Profiling;

/// <summary>A profile as tables for people; times and counts are means over the steps.</summary>
/// <param name="profile">The sums.</param>
/// <param name="limits">Of the device, or null.</param>
/// <param name="misses">Where misses are counted null, else why not; empty on devices for which the question makes no sense.</param>
/// <param name="writer">Takes the text.</param>
internal sealed class ProfileTables(Profile profile, DeviceLimits? limits, string? misses, TextWriter writer)
{
    private readonly int steps = profile.StepTicks.Count;

    public void Write()
    {
        WriteSteps();
        WriteTable("operation", OperationRows());
        WriteTable("phase", PhaseRows());
        WriteLayers();
    }

    /// <summary>The value below which <paramref name="share"/> of the steps lie, in seconds.</summary>
    public static double Quantile(IReadOnlyList<long> ticks, double share)
    {
        long[] sorted = [.. ticks.Order()];
        double at = share * (sorted.Length - 1);
        int below = (int)at;
        double value = sorted[below] + (at - below) * (sorted[Math.Min(below + 1, sorted.Length - 1)] - sorted[below]);
        return value / Stopwatch.Frequency;
    }

    private void WriteSteps()
    {
        var ticks = profile.StepTicks;
        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{steps} steps, median {Quantile(ticks, 0.5) * 1e3:0.00} ms (20 %: {Quantile(ticks, 0.2) * 1e3:0.00}, 80 %: {Quantile(ticks, 0.8) * 1e3:0.00})"));
        writer.WriteLine(limits is null
            ? "This device's limits were not measured, so there is no roofline."
            : string.Create(
                CultureInfo.InvariantCulture,
                $"Limits measured at the start: {limits.Gflops:0.0} GFLOP/s, {limits.GigabytesPerSecond:0.0} GB/s. Roofline: least time these allow over time taken."));
        if (profile.Total.Moved > 0) writer.WriteLine("Moved: a model of what an operation's blocks pass beyond the cores' own caches (L2), and that over what it needs.");
        if (misses is null) writer.WriteLine("Missed: what misses of the last-level cache brought from memory, counted.");
        else if (misses.Length > 0) writer.WriteLine($"Cache misses are not counted: perf_event_open gave {misses}.");
        if (profile.Threads > 0) writer.WriteLine($"Busy: share of the time of {profile.Threads} threads in which they had work.");
    }

    private void WriteTable(string kind, IEnumerable<(string Name, ProfileSum Sum, bool HasCalls)> rows)
    {
        string[] header = [kind, "calls", "ms", "share", "GFLOP/s", "GB/s", "needed", "moved", "ratio", .. MissedOnly("missed"), "roofline", "busy"];
        writer.WriteLine();
        TextTable.Write(writer, [header, .. rows.Select(row => Cells(row.Name, row.Sum, row.HasCalls))], column => column >= 1);
    }

    private IEnumerable<(string, ProfileSum, bool)> OperationRows() =>
        profile.Operations.Select(row => (row.Name, row.Sum, true))
            .Append(("between operations", profile.OutsideOperations, false))
            .Append(("step", profile.Total, false));

    private IEnumerable<(string, ProfileSum, bool)> PhaseRows() =>
        profile.Phases.Select(phase => (new string(' ', 2 * phase.Depth) + phase.Name, phase.Sum, true))
            .Append(("between phases", profile.OutsidePhases, false))
            .Append(("step", profile.Total, false));

    /// <summary>A column of milliseconds for each phase that has layers; the whole row's rates behind them.</summary>
    private void WriteLayers()
    {
        string[] columns = [.. profile.Layers.Values.SelectMany(layer => layer.Keys).Distinct()];
        if (columns.Length == 0) return;
        string[] header = ["layer", .. columns.Select(phase => phase + " ms"), "other ms", "ms", "share", "GFLOP/s", "roofline"];
        var rows = profile.Layers
            .Select(layer => LayerCells(layer.Key.ToString(CultureInfo.InvariantCulture), layer.Value, columns))
            .Append(LayerCells("outside layers", profile.OutsideLayers, columns));
        writer.WriteLine();
        TextTable.Write(writer, [header, .. rows], column => column >= 1);
    }

    private string[] LayerCells(string name, Dictionary<string, ProfileSum> byPhase, string[] columns)
    {
        long all = byPhase.Values.Sum(sum => sum.Ticks), other = all - columns.Sum(phase => byPhase.TryGetValue(phase, out var sum) ? sum.Ticks : 0);
        double flops = byPhase.Values.Sum(sum => sum.Cost.Flops), least = byPhase.Values.Sum(sum => sum.LeastSeconds);
        double seconds = all / (double)Stopwatch.Frequency;
        return
        [
            name, .. columns.Select(phase => byPhase.TryGetValue(phase, out var sum) ? Milliseconds(sum.Ticks) : "-"), Milliseconds(other),
            Milliseconds(all), Share(all), Rate(flops, seconds), least > 0 ? Percent(least / seconds) : "-",
        ];
    }

    private string[] Cells(string name, ProfileSum sum, bool hasCalls) =>
    [
        name, hasCalls ? (sum.Calls / (double)steps).ToString("#,0.##", CultureInfo.InvariantCulture) : "", Milliseconds(sum.Ticks), Share(sum.Ticks),
        Rate(sum.Cost.Flops, sum.Seconds), Rate(sum.Cost.Bytes, sum.Seconds),
        Bytes(sum.Cost.Bytes), Bytes(sum.Moved),
        sum.Cost.Bytes > 0 && sum.Moved > 0 ? (sum.Moved / sum.Cost.Bytes).ToString("0.0", CultureInfo.InvariantCulture) : "-",
        .. MissedOnly(Bytes(sum.Missed)), sum.Roofline is { } roofline ? Percent(roofline) : "-",
        sum.WorkTicks > 0 && profile.Busy(sum) is { } busy ? Percent(busy) : "-",
    ];

    private string Bytes(double bytes) => bytes > 0 ? ModelInspection.HumanBytes((long)(bytes / steps)) : "-";

    /// <summary>A cell of the column that is there where misses are counted.</summary>
    private string[] MissedOnly(string cell) => misses is null ? [cell] : [];

    private string Milliseconds(long ticks) =>
        (ticks / (double)Stopwatch.Frequency / steps * 1e3).ToString("#,0.000", CultureInfo.InvariantCulture);

    private string Share(long ticks) => Percent(ticks / (double)Math.Max(1, profile.Total.Ticks));

    private static string Rate(double amount, double seconds) =>
        amount > 0 && seconds > 0 ? (amount / seconds / 1e9).ToString("0.0", CultureInfo.InvariantCulture) : "-";

    private static string Percent(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture) + " %";
}
