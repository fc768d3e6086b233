using RepNoise.Host.Commands;
using RepNoise.Host.Commands.Handlers;
using RepNoise.Host.Experiments;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Experiments;

/// <summary>The demo's file with a run's own values in it.</summary>
public sealed class DemoExperimentTests
{
    private static readonly DemoOptions Options = new() { Output = "out: here", Seed = 7, Seeds = 2, StepsScale = 0.1, Threads = 3 };

    [Fact]
    public void Paths_seeds_threads_and_sizes_are_the_runs_and_all_else_is_the_files()
    {
        var before = YamlTree.Read(Path.Combine(Repository.Root, "examples", "potions", "demo.yaml"));
        var after = WrittenAndRead(new DemoExperiment(Options, file => "/data # 1/" + file).Of(before));
        Assert.Equal(Path.GetFullPath("out: here"), Text(after, "output_dir"));
        Assert.Equal("3", Text(after, "settings", "threads"));
        Assert.Equal(["7", "8"], Assert.IsType<YamlList>(after.Find("seeds")!.Value).Items.Select(item => ((YamlScalar)item).Text));
        Assert.Equal("/data # 1/aligned", Text(after, "models", "aligned"));
        Assert.Equal("144", Text(after, "defences", "repnoise", "max_steps"));
        Assert.Equal("5", Text(after, "tasks", "rotating letters", "evaluation", "limit")); // of 40, at least 5
        Assert.Equal("20", Text(after, "evaluations", "harmless", "limit"));

        string[] changed = [.. Flat(before).Except(Flat(after)).Select(line => line[..line.IndexOf('=', StringComparison.Ordinal)].Split('/')[^1])];
        Assert.Equal(
            ["aligned", "data", "floor", "limit", "max_steps", "output_dir", "pairs", "questions", "retain", "seeds", "slot_words", "threads"],
            changed.Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void At_the_demos_own_scale_only_places_change()
    {
        var before = YamlTree.Read(Path.Combine(Repository.Root, "examples", "potions", "demo.yaml"));
        var after = WrittenAndRead(new DemoExperiment(new DemoOptions(), file => "examples/potions/" + file).Of(before));
        Assert.Equal([$"/output_dir=out/demo"], Flat(before).Except(Flat(after)));
    }

    private static YamlMap WrittenAndRead(YamlMap map)
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "demo.yaml");
        File.WriteAllText(path, YamlText.Of(map));
        return YamlTree.Read(path);
    }

    private static string? Text(YamlMap map, params string[] keys) => keys is [var last]
        ? Assert.IsType<YamlScalar>(map.Find(last)!.Value).Text
        : Text(Assert.IsType<YamlMap>(map.Find(keys[0])!.Value), keys[1..]);

    /// <summary>Every value under its path.</summary>
    private static IEnumerable<string> Flat(YamlValue value, string path = "") => value switch
    {
        YamlMap map => map.Members.SelectMany(member => Flat(member.Value, $"{path}/{member.Key}")),
        YamlList list => list.Items.SelectMany(item => Flat(item, path)),
        YamlScalar scalar => [$"{path}={scalar.Text ?? "null"}"],
        _ => [],
    };
}
