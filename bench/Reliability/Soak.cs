using System.Diagnostics;
using System.Globalization;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Reliability;

/// <summary>
/// Trains a tiny model for many steps in a process of its own and reads from outside, a hundred times, what it holds: resident
/// memory, open file handles, threads, and what its steps cost. Checkpoints are saved on the way.
/// </summary>
internal static class Soak
{
    private const int Samples = 100;

    /// <summary>Steps are flat where their cost, with a certainty of 95 %, rises by less than this share over the run after its warm-up.</summary>
    private const double AllowedRise = 0.05;
    private const double AllowedGrowth = 0.01;

    private sealed record Sample(int Step, long Bytes, long Anonymous, long File, long Shared, int Handles, int Threads, double Seconds, long Nanoseconds, double Unit);

    public static int Run(int steps)
    {
        using var world = new TinyWorld();
        string output = world["out"];
        var calibration = new Calibration();
        using var child = Child.Start(
            "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--retain", world.Data("retain.jsonl"), "--per-device-train-batch-size", "1",
            "--retain-rows", "1", "--max-length", "32", "--max-steps", $"{steps}", "--save-steps", $"{Math.Max(1, steps / 400)}", "--threads", "1", "--output", output);
        var samples = new List<Sample>();
        var metrics = new LineCounter(Path.Combine(output, "metrics.jsonl"));
        while (!child.HasExited)
        {
            calibration.Work();
            int step = metrics.Count();
            if (step >= (samples.Count + 1) * steps / Samples && Read(child.Id, step, calibration) is { } sample) samples.Add(sample);
            Thread.Sleep(20);
        }

        var result = child.Wait();
        if (result.Code != 0) throw new InvalidOperationException(result.Error);
        return Report(steps, samples);
    }

    private static Sample? Read(int process, int step, Calibration calibration)
    {
        try
        {
            long Field(string name) => File.ReadLines($"/proc/{process}/status").Where(line => line.StartsWith(name, StringComparison.Ordinal))
                .Select(line => long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture)).Single();
            return new Sample(
                step, Field("VmRSS:") * 1024, Field("RssAnon:") * 1024, Field("RssFile:") * 1024, Field("RssShmem:") * 1024,
                Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Count(), (int)Field("Threads:"), Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency,
                Calibration.Nanoseconds(process), calibration.Take());
        }
        catch (Exception error) when (error is IOException or InvalidOperationException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Compares the memory of the first fifth after the warm-up, a tenth of the steps, with the last fifth; and asks whether steps cost more with time.</summary>
    private static int Report(int steps, List<Sample> samples)
    {
        var steady = samples.Where(sample => sample.Step >= steps / 10).ToList();
        var (early, late) = (steady.Take(steady.Count / 5).ToList(), steady.TakeLast(steady.Count / 5).ToList());
        double growth = late.Average(sample => sample.Bytes) / early.Average(sample => sample.Bytes) - 1;
        int handles = late.Max(sample => sample.Handles) - early.Max(sample => sample.Handles);
        Console.WriteLine($"{steps} steps, {samples.Count} samples from /proc");
        foreach (var (name, part) in (IReadOnlyList<(string, Func<Sample, long>)>)[("resident", s => s.Bytes), ("anonymous", s => s.Anonymous), ("file", s => s.File), ("shared", s => s.Shared)])
            Console.WriteLine($"{name}, MiB by tenths of the run: " + Tenths(steps, samples.Select(s => (s.Step, part(s) / 1048576.0))));
        Console.WriteLine($"resident memory: {early.Average(s => s.Bytes) / 1048576:0.0} MiB early, {late.Average(s => s.Bytes) / 1048576:0.0} MiB late, growth {100 * growth:0.00} %");
        Console.WriteLine($"file handles: {early.Max(s => s.Handles)} early, {late.Max(s => s.Handles)} late; threads: {early.Max(s => s.Threads)}, {late.Max(s => s.Threads)}");
        Console.WriteLine($"wall time a step: {StepTime(early):0.00} ms early, {StepTime(late):0.00} ms late");
        bool flat = Steps(steps, steady);
        return growth < AllowedGrowth && handles <= 0 && flat ? 0 : 1;
    }

    /// <summary>Processor time a step between two samples, as it is and in units of the calibration that ran between them.</summary>
    private static bool Steps(int steps, List<Sample> steady)
    {
        var blocks = steady.Zip(steady.Skip(1), (from, to) => (
            Step: (from.Step + to.Step) / 2.0, Milliseconds: 1e-6 * (to.Nanoseconds - from.Nanoseconds) / (to.Step - from.Step), to.Unit)).ToList();
        double[] times = [.. blocks.Select(block => block.Step)];
        double span = times[^1] - times[0];
        Tell("processor time a step, ms", [.. blocks.Select(block => block.Milliseconds)]);
        Tell("a unit of calibration, ms", [.. blocks.Select(block => 1e-6 * block.Unit)]);
        var trend = Tell("a step, in units of calibration", [.. blocks.Select(block => 1e6 * block.Milliseconds / block.Unit)]);
        bool flat = trend.Most * span / trend.Center < AllowedRise;
        Console.WriteLine($"steps are {(flat ? "flat" : "NOT SHOWN TO BE FLAT")}: with 95 % certainty they rise by {100 * trend.Most * span / trend.Center:0.0} % at most, {100 * AllowedRise:0} % is allowed");
        return flat;

        Trend Tell(string what, double[] values)
        {
            var found = Trend.Of(times, values);
            Console.WriteLine($"{what}: {Tenths(steps, times.Zip(values, (time, value) => ((int)time, value)))}; median {found.Center:0.00}, rises by "
                + $"{100 * found.Slope * span / found.Center:0.0} % over the run (95 %: {100 * found.Least * span / found.Center:0.0} to {100 * found.Most * span / found.Center:0.0}), z = {found.Z:0.0}");
            return found;
        }
    }

    private static string Tenths(int steps, IEnumerable<(int Step, double Value)> values) =>
        string.Join(' ', values.GroupBy(pair => pair.Step * 10L / (steps + 1)).Select(tenth => $"{tenth.Average(pair => pair.Value):0.00}"));

    private static double StepTime(List<Sample> samples) =>
        1000 * (samples[^1].Seconds - samples[0].Seconds) / (samples[^1].Step - samples[0].Step);
}
