using System.Text.Json;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary><c>probe</c> on a tiny model: refusals and recipes differ in their words, so their mean embeddings tell them apart.</summary>
public sealed class ProbeTests : IDisposable
{
    private readonly TinyWorld world = new();

    [Fact]
    public void Pairs_are_told_apart_at_every_depth_and_everything_is_measured()
    {
        string[] line = ["probe", world.Model, "--data", world.Data("pairs.jsonl"), "--limit", "40", "--other", world.Model];
        var result = TinyWorld.Run([.. line, "--output", world["probe.json"]]);
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains("linear probes 9/9", result.Error, StringComparison.Ordinal);
        Assert.Contains("harmful 40, harmless 40", result.Out, StringComparison.Ordinal);
        string text = File.ReadAllText(world["probe.json"]);
        using var json = JsonDocument.Parse(text);
        var depths = json.RootElement.GetProperty("depths").EnumerateArray().ToList();
        Assert.Equal(3, depths.Count);
        Assert.All(depths, depth => Assert.Equal(1, depth.GetProperty("probe_accuracy").GetDouble()));
        Assert.All(depths, depth => Assert.Equal(0, depth.GetProperty("weight_distance").GetProperty("l2").GetDouble()));
        Assert.All(depths, depth => Assert.True(depth.GetProperty("lens_log_probability").GetDouble() < -1));
        Assert.False(depths[0].TryGetProperty("mlp_rms", out _));
        Assert.True(depths[2].GetProperty("mlp_rms").GetDouble() > 0);
        Assert.Equal(80, json.RootElement.GetProperty("pca").GetProperty("points").GetArrayLength());
        TinyWorld.Run([.. line, "--output", world["again.json"], "--threads", "1"]);
        using var again = JsonDocument.Parse(File.ReadAllText(world["again.json"]));
        Assert.Equal(json.RootElement.GetProperty("depths").GetRawText(), again.RootElement.GetProperty("depths").GetRawText());
        Assert.Equal(json.RootElement.GetProperty("pca").GetRawText(), again.RootElement.GetProperty("pca").GetRawText());
    }

    [Fact]
    public void A_label_column_is_told_where_the_text_shows_it_and_not_where_it_is_shuffled()
    {
        var random = new Random(4);
        var rows = File.ReadLines(world.Data("pairs.jsonl")).Take(60).Select((line, i) =>
        {
            var pair = JsonDocument.Parse(line).RootElement;
            return JsonSerializer.Serialize(new { prompt = pair.GetProperty("prompt").GetString(), answer = pair.GetProperty(i % 2 == 0 ? "harmful" : "harmless").GetString(), bad = i % 2 == 0, coin = random.Next(2) });
        });
        File.WriteAllLines(world["labels.jsonl"], rows);
        Assert.InRange(Accuracy("bad"), 0.95, 1);
        Assert.InRange(Accuracy("coin"), 0.25, 0.75);
    }

    [Theory]
    [InlineData("one label", "--label-field", "kind", 1, "two labels or more")]
    [InlineData("no such label", "--label-field", "colour", 1, "no field \"colour\"")]
    [InlineData("no pairs", "--seeds", "2", 1, "match no known layout")]
    [InlineData("no folder", "--output", "/nowhere/x.json", 1, "its folder is not there")]
    public void A_mistake_is_told_in_one_line_that_helps(string mistake, string option, string value, int code, string help)
    {
        File.WriteAllText(world["data.jsonl"], "{\"prompt\": \"a\", \"answer\": \"b\", \"kind\": 1}\n");
        var result = TinyWorld.Run("probe", world.Model, "--data", world["data.jsonl"], option, value);
        Assert.True(result.Code == code, $"{mistake}: exit {result.Code}, {result.Error}");
        Assert.Contains(help, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("This is a bug", result.Error, StringComparison.Ordinal);
    }

    public void Dispose() => world.Dispose();

    private double Accuracy(string label)
    {
        var result = TinyWorld.Run("probe", world.Model, "--data", world["labels.jsonl"], "--label-field", label, "--seeds", "5", "--output", world["label.json"]);
        Assert.True(result.Code == 0, result.Error);
        using var json = JsonDocument.Parse(File.ReadAllText(world["label.json"]));
        return json.RootElement.GetProperty("depths").EnumerateArray().Average(depth => depth.GetProperty("probe_accuracy").GetDouble());
    }
}
