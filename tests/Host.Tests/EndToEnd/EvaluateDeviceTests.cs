using System.Text.Json;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary><c>evaluate</c> and <c>probe</c> compute on the device that they are given, and find the same there.</summary>
public sealed class EvaluateDeviceTests : IDisposable
{
    private readonly TinyWorld world = new();

    [Theory]
    [InlineData("reference:float64")]
    [InlineData("cuda:float32")]
    public void Other_devices_find_the_same(string device)
    {
        if (device.StartsWith("cuda", StringComparison.Ordinal)) device = CudaName.Of(":float32");
        File.WriteAllLines(world["texts.jsonl"], File.ReadLines(world.Data("align.jsonl")).Take(3));
        string[] evaluate =
        [
            "evaluate", world.Model, "--questions", world["texts.jsonl"], "--judge", "slots", "--max-new-tokens", "4", "--perplexity", world["texts.jsonl"], "--output",
        ];
        string[] probe = ["probe", world.Model, "--data", world.Data("pairs.jsonl"), "--limit", "4", "--seeds", "1", "--output"];
        Run([.. evaluate, world["cpu"]]);
        Run([.. evaluate, world["other"], "--device", device]);
        Run([.. probe, world["cpu.json"]]);
        Run([.. probe, world["other.json"], "--device", device]);
        Assert.Equal(File.ReadAllText(world["cpu/generations.jsonl"]), File.ReadAllText(world["other/generations.jsonl"]));
        Near(Number("cpu/results.json", "perplexity", "log_probability"), Number("other/results.json", "perplexity", "log_probability"));
        foreach (var (cpu, other) in Depths("cpu.json").Zip(Depths("other.json")))
        {
            Near(cpu.GetProperty("lens_log_probability").GetDouble(), other.GetProperty("lens_log_probability").GetDouble());
            if (cpu.TryGetProperty("mlp_rms", out var rms)) Near(rms.GetDouble(), other.GetProperty("mlp_rms").GetDouble());
        }
    }

    public void Dispose() => world.Dispose();

    private static void Run(string[] line)
    {
        var result = TinyWorld.Run(line);
        Assert.True(result.Code == 0, result.Error);
    }

    private static void Near(double expected, double actual) => Assert.Equal(expected, actual, 1e-4 * Math.Abs(expected));

    private double Number(string file, string part, string name) => Root(file).GetProperty(part).GetProperty(name).GetDouble();

    private List<JsonElement> Depths(string file) => [.. Root(file).GetProperty("depths").EnumerateArray()];

    private JsonElement Root(string file) => JsonDocument.Parse(File.ReadAllText(world[file])).RootElement;
}
