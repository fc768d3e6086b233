using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;

namespace RepNoise.Bench.Step;

/// <summary>Writes the rows as lines of JSON, the ratios last, and the same as a Markdown table beside them.</summary>
internal static class Results
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static void Write(string path, string root, IReadOnlyList<(Row Ours, Row Theirs)> pairs, Scaling? scaling)
    {
        string machine = Cpu(), commit = Commit(root), load = File.ReadAllText("/proc/loadavg").Split(' ')[0];
        string versions = $".NET {Environment.Version}, TorchSharp {Version(root, "TorchSharp")}, libtorch {Version(root, "libtorch-cpu-linux-x64")}, {RuntimeInformation.OSDescription}";
        using var json = new StreamWriter(path);
        json.NewLine = "\n";
        var md = new StringBuilder($"{machine}, {Environment.ProcessorCount} cores; {versions}; commit {commit}; load average at the end {load}{Variants(pairs)}\n\n" +
            "| shape | setting | threads | ours s (p20, p80) | peer s (p20, p80) | faster | ours MB | peer MB | smaller |\n|---|---|---|---|---|---|---|---|---|\n");
        var ratios = new SortedDictionary<string, object>(StringComparer.Ordinal);
        foreach (var (ours, theirs) in pairs)
        {
            WriteRow(ours);
            WriteRow(theirs);
            double faster = theirs.Seconds.Median / ours.Seconds.Median, smaller = (double)theirs.PeakBytes / ours.PeakBytes;
            ratios[$"{ours.Shape}/{ours.Setting}"] = new { Seconds = faster, PeakBytes = smaller };
            md.Append(CultureInfo.InvariantCulture, $"| {ours.Shape} | {ours.Setting} | {ours.Threads} | {Text(ours)} | {Text(theirs)} | {faster:F2}x ")
                .Append(CultureInfo.InvariantCulture, $"| {ours.PeakBytes / 1e6:F0} | {theirs.PeakBytes / 1e6:F0} | {smaller:F2}x |\n");
        }

        if (scaling is not null)
        {
            WriteRow(scaling.One);
            WriteRow(scaling.All);
            ratios[scaling.All.Shape] = new { Seconds = scaling.Faster, scaling.MultiplyAdds, scaling.Share };
            md.Append(CultureInfo.InvariantCulture, $"\nShape a alone: {Text(scaling.One)} s with one thread, {Text(scaling.All)} s with {scaling.All.Threads}: {scaling.Faster:F2}x; ")
                .Append(CultureInfo.InvariantCulture, $"multiply-adds in the same turns {scaling.MultiplyAdds:F2}x, so the step keeps {scaling.Share:P0} of it.\n");
        }

        json.WriteLine(JsonSerializer.Serialize(new { Ratios = ratios, Machine = machine, Commit = commit, LoadAverage = load }, Json));
        File.WriteAllText(Path.ChangeExtension(path, ".md"), md.ToString());

        void WriteRow(Row row) => json.WriteLine(JsonSerializer.Serialize(
            new Line(row.Shape, row.Side, row.Setting, row.Threads, row.Seconds, row.PeakBytes, row.Loss, machine, versions, commit), Json));
    }

    private sealed record Line(
        string Shape, string Side, string Setting, int Threads, Spread Seconds, long PeakBytes, double Loss, string Machine, string Versions, string Commit);

    /// <summary>What our side was asked to use, for the head of the table.</summary>
    private static string Variants(IReadOnlyList<(Row Ours, Row Theirs)> pairs) => pairs is [var (ours, _), ..] && ours.Side != "ours" ? "; " + ours.Side : "";

    private static string Text(Row row) =>
        string.Create(CultureInfo.InvariantCulture, $"{row.Seconds.Median:F3} ({row.Seconds.P20:F3}, {row.Seconds.P80:F3})");

    /// <summary>A package's version, as the build takes it.</summary>
    private static string Version(string root, string package) =>
        XDocument.Load(Path.Combine(root, "Directory.Packages.props")).Descendants("PackageVersion")
            .First(element => (string?)element.Attribute("Include") == package).Attribute("Version")!.Value;

    private static string Cpu() =>
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown";

    private static string Commit(string root)
    {
        using var git = Process.Start(new ProcessStartInfo("git", ["-C", root, "describe", "--always", "--dirty"]) { RedirectStandardOutput = true })!;
        return git.StandardOutput.ReadToEnd().Trim();
    }
}
