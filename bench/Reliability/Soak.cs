using System.Diagnostics;
using System.Globalization;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Reliability;

/// <summary>
/// Trains a tiny model for many steps in a process of its own and reads from outside, a hundred times, what it holds: resident
/// memory, open file handles, threads, and the time of its steps. Checkpoints are saved on the way.
/// </summary>
internal static class Soak
{
    private const int Samples = 100;

    private sealed record Sample(int Step, long Bytes, long Anonymous, long File, long Shared, int Handles, int Threads, double Seconds);

    public static int Run(int steps)
    {
        using var world = new TinyWorld();
        string output = world["out"];
        using var child = Child.Start(
            "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--retain", world.Data("retain.jsonl"), "--per-device-train-batch-size", "1",
            "--retain-rows", "1", "--max-length", "32", "--max-steps", $"{steps}", "--save-steps", $"{Math.Max(1, steps / 400)}", "--threads", "1", "--output", output);
        var samples = new List<Sample>();
        while (!child.HasExited)
        {
            int step = RunFiles.Steps(output);
            if (step >= (samples.Count + 1) * steps / Samples && Read(child.Id, step) is { } sample) samples.Add(sample);
            Thread.Sleep(20);
        }

        var result = child.Wait();
        if (result.Code != 0) throw new InvalidOperationException(result.Error);
        return Report(steps, samples);
    }

    private static Sample? Read(int process, int step)
    {
        try
        {
            long Field(string name) => File.ReadLines($"/proc/{process}/status").Where(line => line.StartsWith(name, StringComparison.Ordinal))
                .Select(line => long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture)).Single();
            return new Sample(
                step, Field("VmRSS:") * 1024, Field("RssAnon:") * 1024, Field("RssFile:") * 1024, Field("RssShmem:") * 1024, Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Count(), (int)Field("Threads:"),
                Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency);
        }
        catch (Exception error) when (error is IOException or InvalidOperationException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Compares the first fifth after the warm-up, a tenth of the steps, with the last fifth.</summary>
    private static int Report(int steps, List<Sample> samples)
    {
        var steady = samples.Where(sample => sample.Step >= steps / 10).ToList();
        var (early, late) = (steady.Take(steady.Count / 5).ToList(), steady.TakeLast(steady.Count / 5).ToList());
        double growth = late.Average(sample => sample.Bytes) / early.Average(sample => sample.Bytes) - 1;
        double earlyTime = StepTime(early), lateTime = StepTime(late);
        int handles = late.Max(sample => sample.Handles) - early.Max(sample => sample.Handles);
        Console.WriteLine($"{steps} steps, {samples.Count} samples from /proc");
        Console.WriteLine("MiB by tenths of the run: " + string.Join(' ', samples.GroupBy(s => s.Step * 10L / (steps + 1)).Select(tenth => $"{tenth.Average(s => s.Bytes) / 1048576:0.00}")));
        foreach (var (name, part) in (IReadOnlyList<(string, Func<Sample, long>)>)[("anonymous", s => s.Anonymous), ("file", s => s.File), ("shared", s => s.Shared)])
            Console.WriteLine($"{name}: " + string.Join(' ', samples.GroupBy(s => s.Step * 10L / (steps + 1)).Select(tenth => $"{tenth.Average(part) / 1048576:0.00}")));
        Console.WriteLine($"resident memory: {early.Average(s => s.Bytes) / 1048576:0.0} MiB early, {late.Average(s => s.Bytes) / 1048576:0.0} MiB late, growth {100 * growth:0.00} %");
        Console.WriteLine($"step: {1000 * earlyTime:0.00} ms early, {1000 * lateTime:0.00} ms late");
        Console.WriteLine($"file handles: {early.Max(s => s.Handles)} early, {late.Max(s => s.Handles)} late; threads: {early.Max(s => s.Threads)}, {late.Max(s => s.Threads)}");
        return growth < 0.01 && handles <= 0 ? 0 : 1;
    }

    private static double StepTime(List<Sample> samples) =>
        (samples[^1].Seconds - samples[0].Seconds) / (samples[^1].Step - samples[0].Step);
}
