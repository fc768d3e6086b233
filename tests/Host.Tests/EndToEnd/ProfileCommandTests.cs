using System.Text.Json.Nodes;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>repnoise profile on a tiny model: tables, JSON and the timeline.</summary>
public sealed class ProfileCommandTests
{
    [Fact]
    public void Tables_and_json_tell_the_same_complete_story()
    {
        using var world = new TinyWorld();
        var result = Profile(world, "--json", world["profile.json"], "--gradient-accumulation-steps", "2", "--overhead");
        Assert.Matches(@"\n4 steps, median [\d.]+ ms", result.Out);
        Assert.Matches(@"\nLimits measured at the start: [\d.]+ GFLOP/s, [\d.]+ GB/s", result.Out);
        Assert.Matches(@"\nMatmul +\d+ ", result.Out);
        Assert.Matches(@"\n  noise +\d", result.Out);
        Assert.Matches(@"\nRecording: \d+ events a step at \d+ ns", result.Out);
        const string Ratio = @"[+-][\d.]+ % \([+-][\d.]+ to [+-][\d.]+\)";
        Assert.Matches($@"\nThe same micro-batch with and without recording, 60 pairs in turns, with 95 % intervals: time {Ratio}, processor time {Ratio}, time at an equal clock {Ratio}\.", result.Out);
        Assert.Matches(@"\noperation +calls +ms +share +GFLOP/s +GB/s +needed +moved +ratio +(missed +)?roofline", result.Out);
        Assert.Matches(@"\n(Missed: what misses|Cache misses are not counted: perf_event_open gave E[A-Z]+, )", result.Out);

        var json = JsonNode.Parse(File.ReadAllText(world["profile.json"]))!;
        double total = Seconds(json["total"]!);
        Assert.Equal(total, json["step_seconds"]!.AsArray().Sum(step => (double)step!), 9);
        Assert.Equal(total, json["operations"]!.AsArray().Sum(Seconds) + Seconds(json["between_operations"]!), 9);
        Assert.Equal(total, json["phases"]!.AsArray().Where(phase => !Path(phase!).Contains('/')).Sum(Seconds) + Seconds(json["between_phases"]!), 9);
        Assert.Equal(total, json["layers"]!.AsArray().Sum(Seconds), 9);
        Assert.Equal(
            ["backward", "backward/noise", "data", "forward", "forward/noise", "loss", "loss/ascent", "loss/retain", "loss/stability", "optimizer"],
            json["phases"]!.AsArray().Select(phase => Path(phase!)).Order(StringComparer.Ordinal));
        Assert.Equal([0, 1], json["layers"]!.AsArray().Select(row => (int?)row!["layer"]).OfType<int>().Distinct().Order());
        var matmul = json["operations"]!.AsArray().Single(row => (string)row!["name"]! == "Matmul")!;
        Assert.True((double)matmul["flops"]! > 0 && (double)matmul["roofline"]! > 0);
        Assert.All(json["operations"]!.AsArray(), row => Assert.True((double)row!["bytes_moved"]! > 0, (string?)row["name"]));
        Assert.Equal((double)json["total"]!["bytes_moved"]!, json["operations"]!.AsArray().Sum(row => (double)row!["bytes_moved"]!), 1);
    }

    [Fact]
    public void The_timeline_nests_and_counts_memory()
    {
        using var world = new TinyWorld();
        Profile(world, "--trace", world["trace.json"]);
        var events = JsonNode.Parse(File.ReadAllText(world["trace.json"]))!["traceEvents"]!.AsArray().Select(e => e!.AsObject()).ToList();
        Assert.Equal(
            ["layers", "operations", "phases", "steps", "thread 0", "thread 1"],
            events.Where(e => Text(e, "name") == "thread_name").Select(e => Text(e["args"]!.AsObject(), "name")).Order(StringComparer.Ordinal));
        var slices = events.Where(e => Text(e, "ph") == "X").ToList();
        Assert.Equal(["step 3", "step 4", "step 5", "step 6"], Names(slices, "step "));
        Assert.Equal(["layer 0", "layer 1"], Names(slices, "layer ").Distinct());
        foreach (var track in slices.GroupBy(slice => (int)slice["tid"]!)) AssertNests(track, $"track {track.Key}");

        // Across the tracks of the calling thread too: every slice lies within a step. Threads work within operations.
        var calls = slices.Where(slice => (int)slice["tid"]! <= 4).ToList();
        AssertNests(calls, "all tracks");
        var operations = calls.Where(slice => (int)slice["tid"]! == 4).Select(slice => (Text(slice, "name"), Begin(slice), End(slice))).ToList();
        Assert.All(slices.Where(slice => (int)slice["tid"]! > 4), slice => Assert.Contains(
            operations, operation => operation.Item1 == Text(slice, "name") && operation.Item2 <= Begin(slice) && End(slice) <= operation.Item3));
        var counters = events.Where(e => Text(e, "ph") == "C").ToList();
        Assert.Equal(["device buffers", "managed heap", "resident"], counters.Select(e => Text(e, "name")).Distinct().Order(StringComparer.Ordinal));
        Assert.All(counters, e => Assert.True((long)e["args"]!["bytes"]! > 0));
    }

    [Fact]
    public void A_runs_configuration_serves_as_it_stands()
    {
        using var world = new TinyWorld();
        var run = TinyWorld.Run("defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world["out"], "--max-steps", "1", "--per-device-train-batch-size", "2");
        Assert.True(run.Code == 0, run.Error);
        var result = TinyWorld.Run("profile", "--config", world["out/run.yaml"], "--steps", "1");
        Assert.True(result.Code == 0, result.Error);
        Assert.Matches(@"\n1 steps, median", result.Out);
        Assert.False(Directory.Exists(world["out/last-good"]));
    }

    [Fact]
    public void Places_that_cannot_be_written_are_refused_before_the_steps()
    {
        using var world = new TinyWorld();
        Refused(world, "trace: the folder", "--trace", world["no/such/trace.json"]);
        Refused(world, "is a folder", "--json", world.Model);
        Refused(world, "--dump-steps: names step 4, which is recorded", "--dump-tensors", world["dump"], "--dump-steps", "4");
    }

    private static void Refused(TinyWorld world, string message, params string[] options)
    {
        var result = TinyWorld.Run(["profile", world.Model, "--pairs", world.Data("pairs.jsonl"), .. options]);
        Assert.NotEqual(0, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("step 1/", result.Error, StringComparison.Ordinal);
    }

    private static ProgramResult Profile(TinyWorld world, params string[] options)
    {
        var result = TinyWorld.Run(
            ["profile", world.Model, "--pairs", world.Data("pairs.jsonl"), "--retain", world.Data("retain.jsonl"), "--steps", "4", "--skip-steps", "2",
                "--per-device-train-batch-size", "3", "--threads", "2", .. options]);
        Assert.True(result.Code == 0, result.Error);
        return result;
    }

    /// <summary>Slices in the order of their begins either follow each other or lie within each other.</summary>
    private static void AssertNests(IEnumerable<JsonObject> slices, string what)
    {
        var open = new Stack<(string Name, decimal End)>();
        foreach (var slice in slices)
        {
            decimal begin = Begin(slice), end = End(slice);
            while (open.TryPeek(out var before) && before.End <= begin) open.Pop();
            if (open.TryPeek(out var around)) Assert.True(end <= around.End, $"{what}: {Text(slice, "name")} ends after {around.Name} around it");
            open.Push((Text(slice, "name"), end));
        }
    }

    private static IEnumerable<string> Names(IEnumerable<JsonObject> slices, string start) =>
        slices.Select(slice => Text(slice, "name")).Where(name => name.StartsWith(start, StringComparison.Ordinal));

    private static decimal Begin(JsonObject slice) => slice["ts"]!.GetValue<decimal>();

    private static decimal End(JsonObject slice) => Begin(slice) + slice["dur"]!.GetValue<decimal>();

    private static string Text(JsonObject value, string key) => (string)value[key]!;

    private static string Path(JsonNode phase) => (string)phase["path"]!;

    private static double Seconds(JsonNode? row) => (double)row!["seconds"]!;
}
