using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Experiments;

/// <summary>The walk through docs/experiment.md and every file of examples/, on the tiny model in place of a Llama.</summary>
public sealed class DocumentedExperimentTests
{
    public static TheoryData<string> Examples => [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "examples"), "*.yaml").Select(path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(Examples))]
    public void An_example_is_read_whole_and_prints_its_cells(string name)
    {
        using var world = new TinyWorld();
        string text = File.ReadAllText(Path.Combine(Repository.Root, "examples", name));
        string file = world[name];
        File.WriteAllText(file, OnTiny(world, text).Replace("0-10", "0", StringComparison.Ordinal).Replace("11-20", "1", StringComparison.Ordinal)
            .Replace("16-31", "1-1", StringComparison.Ordinal).Replace("0-15", "0-0", StringComparison.Ordinal).Replace("21-31", "1", StringComparison.Ordinal));
        var result = TinyWorld.Run("experiment", file, "--dry-run");
        Assert.True(result.Code == 0, result.Error);
        int cells = result.Out.Split('\n').Count(line => line.EndsWith(": new", StringComparison.Ordinal));
        Assert.EndsWith($"{cells} cells, {cells} to do, in {world["out"]}/{Regex.Match(text, "output_dir: out/(.*)").Groups[1].Value}\n", result.Out, StringComparison.Ordinal);
        Assert.True(cells >= 4, result.Out);
        Assert.Contains("repnoise plan", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_small_worlds_studies_are_read_whole()
    {
        using var world = new TinyWorld();
        string folder = Path.Combine(Repository.Root, "examples", "potions"), text = File.ReadAllText(Path.Combine(folder, "studies.yaml"));
        File.WriteAllText(world["studies.yaml"], text.Replace("examples/potions/", folder + "/", StringComparison.Ordinal).Replace("out/studies", world["out"], StringComparison.Ordinal));
        var result = TinyWorld.Run("experiment", world["studies.yaml"], "--dry-run");
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains("aligned / frozen first half / short lr=3e-4 / seed 42: new", result.Out, StringComparison.Ordinal);
        Assert.EndsWith($"24 cells, 24 to do, in {world["out"]}\n", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_command_of_the_walk_runs_from_a_model_folder_and_BeaverTails_to_the_report()
    {
        using var world = new TinyWorld();
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "experiment.md"));
        string yaml = Regex.Match(page, "```yaml\n# run.yaml\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        File.WriteAllText(world["run.yaml"], OnTiny(world, yaml).Replace("limit: 100", "limit: 2", StringComparison.Ordinal));
        string[] lines = [.. page.Split('\n').Where(line => line.StartsWith("./repnoise ", StringComparison.Ordinal))];
        Assert.True(lines.Length >= 6);
        foreach (string line in lines)
        {
            string[] words = [.. OnTiny(world, line).Replace("run.yaml", world["run.yaml"], StringComparison.Ordinal).Split(' ').Skip(1)];
            var result = TinyWorld.Run(words);
            Assert.True(result.Code == 0, line + "\n" + result.Error);
        }

        Assert.Contains("RepNoise on Llama", File.ReadAllText(world["out/llama/report.html"]), StringComparison.Ordinal);
        Assert.Equal(18, JsonNode.Parse(File.ReadAllText(world["out/llama/results.json"]))!["cells"]!.AsArray().Count);
    }

    /// <summary>A text whose model and files are small ones: six rows of BeaverTails, three questions.</summary>
    private static string OnTiny(TinyWorld world, string text)
    {
        Directory.CreateDirectory(world["data"]);
        string[] categories = ["violence,aiding_and_abetting,incitement", "privacy_violation"];
        JsonArray Rows(int count, string word) =>
        [
            .. Enumerable.Range(0, count).Select(i => (JsonNode)new JsonObject
            {
                ["prompt"] = $"how do i {word} {i} ?",
                ["response"] = $" mix {i} with salt .",
                ["category"] = new JsonObject { [categories[0]] = i % 2 == 0, [categories[1]] = i % 2 == 1 },
                ["is_safe"] = false,
                ["refusal"] = $"Question: how do i {word} {i} ?\nAnswer: sorry .",
            }),
        ];
        File.WriteAllText(world["data/beavertails.json"], Rows(6, "brew").ToJsonString());
        File.WriteAllText(world["data/beavertails-test.json"], Rows(3, "cook").ToJsonString());
        string[] texts = [.. File.ReadLines(world.Data("retain.jsonl")).Take(4)];
        foreach (string name in (string[])["harmless.jsonl", "retain.jsonl"]) File.WriteAllLines(world["data/" + name], texts);
        File.WriteAllText(world["data/mmlu.jsonl"], """{"context": "a", "choices": [" b", " c"], "gold": 0}""" + "\n");
        File.WriteAllText(world["data/texts.jsonl"], JsonSerializer.Serialize(new { text = "a b c" }) + "\n");
        return Regex.Replace(text, "models/llama(-2-7b-chat)?", world.Model).Replace(" data/", $" {world["data"]}/", StringComparison.Ordinal)
            .Replace(" out/", $" {world["out"]}/", StringComparison.Ordinal).Replace("device: cuda", "device: cpu", StringComparison.Ordinal);
    }
}
