using System.Text.Json;
using System.Text.Json.Nodes;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Model;
using RepNoise.Host.Resuming;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>Whole runs of the program on a tiny model: what they write, that they repeat, how they stop.</summary>
public sealed class TrainingRunTests
{
    private static readonly string[] TimeFields = ["tokens_per_second", "seconds", "peak_memory_bytes"];

    [Fact]
    public void Defend_writes_a_folder_that_loads_metrics_of_every_step_and_the_effective_config()
    {
        using var world = new TinyWorld();
        var result = Defend(world, "out", "--retain", world.Data("retain.jsonl"), "--max-steps", "4");
        Assert.True(result.Code == 0, result.Error);
        using var folder = ModelFolder.Open(world["out"]);
        Assert.Equal(2, folder.Config.NumHiddenLayers);
        Assert.True(File.Exists(world["out/tokenizer.json"]));
        var steps = Metrics(world["out"]);
        Assert.Equal(4, steps.Count);
        string[] fields =
        [
            "step", "epoch", "loss", "stability", "noise", "ascent", "retain", "mmd", "lens_loss", "grad_norm", "learning_rate", "tokens",
            .. TimeFields.Order(),
        ];
        Assert.Equal(fields.Order(), steps[0].Select(p => p.Key).Order());
        Assert.Equal(2, steps[0]["mmd"]!.AsArray().Count);
        Assert.Equal(3, steps[0]["lens_loss"]!.AsArray().Count);
        double total = (double)steps[3]["stability"]! + 0.001 * (double)steps[3]["noise"]! - Math.Log((double)steps[3]["ascent"]!) + (double)steps[3]["retain"]!;
        Assert.Equal(total, (double)steps[3]["loss"]!, 9);
        Assert.Contains("max_steps: 4", File.ReadAllText(world["out/run.yaml"]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_written_config_repeats_its_run()
    {
        using var world = new TinyWorld();
        Assert.Equal(0, Defend(world, "a", "--max-steps", "2", "--alpha", "0.5").Code);
        var again = TinyWorld.Run("defend", "--config", world["a/run.yaml"], "--output", world["b"]);
        Assert.True(again.Code == 0, again.Error);
        AssertSameRun(world, "a", "b");
    }

    [Fact]
    public void Equal_seeds_give_equal_bytes_for_one_and_for_two_threads()
    {
        using var world = new TinyWorld();
        foreach (var (name, threads) in (ReadOnlySpan<(string, string)>)[("a", "1"), ("b", "1"), ("c", "2")])
            Assert.Equal(0, Defend(world, name, "--retain", world.Data("retain.jsonl"), "--max-steps", "5", "--threads", threads).Code);
        AssertSameRun(world, "a", "b");
        AssertSameRun(world, "a", "c");
        Assert.Equal(0, Defend(world, "d", "--retain", world.Data("retain.jsonl"), "--max-steps", "5", "--seed", "1").Code);
        Assert.NotEqual(File.ReadAllBytes(world["a/model.safetensors"]), File.ReadAllBytes(world["d/model.safetensors"]));
    }

    [Theory]
    [InlineData("bfloat16", null)]
    [InlineData("float16", null)]
    [InlineData("float32", "bfloat16")]
    public void A_saved_model_has_the_trained_weights_rounded_to_its_dtype(string dtype, string? saveDtype)
    {
        using var world = new TinyWorld(dtype);
        string[] save = saveDtype is null ? [] : ["--save-dtype", saveDtype];
        Assert.Equal(0, Finetune(world, "exact", ["--save-dtype", "float32"]).Code);
        Assert.Equal(0, Finetune(world, "rounded", save).Code);
        var exact = NaiveSafetensors.Read(world["exact/model.safetensors"]);
        var rounded = NaiveSafetensors.Read(world["rounded/model.safetensors"]);
        Assert.Equal(exact.Keys, rounded.Keys);
        foreach (string name in exact.Keys)
        {
            Assert.Equal((saveDtype ?? dtype) == "bfloat16" ? "BF16" : "F16", rounded[name].DType);
            Assert.Equal(exact[name].Floats().Select(v => Rounded(v, rounded[name].DType)), rounded[name].Floats());
        }

        Assert.Equal(Logits(world["rounded"], _ => { }), Logits(world["exact"], values => Round(values, (saveDtype ?? dtype) == "bfloat16" ? "BF16" : "F16")));
    }

    [Fact]
    public void Finetune_from_scratch_starts_from_the_seed_and_keeps_the_tokenizer()
    {
        using var world = new TinyWorld();
        string[] common = ["--data", world.Data("pretrain.jsonl"), "--from-scratch", world.ConfigPath, "--max-steps", "3", "--completion-only-loss"];
        foreach (string name in (string[])["a", "b"])
        {
            var result = TinyWorld.Run(["finetune", world.Data("model"), "--output", world[name], .. common]);
            Assert.True(result.Code == 0, result.Error);
        }

        AssertSameRun(world, "a", "b");
        Assert.Equal(File.ReadAllBytes(world.Data("model/tokenizer.json")), File.ReadAllBytes(world["a/tokenizer.json"]));
        Assert.True((double)Metrics(world["a"])[0]["loss"]! > 6, "random weights should not know the answers"); // ln 552 = 6.3
    }

    [Fact]
    public void Training_lowers_the_loss()
    {
        using var world = new TinyWorld();
        Assert.Equal(0, Finetune(world, "out", ["--max-steps", "60", "--learning-rate", "5e-3", "--per-device-train-batch-size", "16"]).Code);
        var steps = Metrics(world["out"]);
        double first = (double)steps[0]["loss"]!, last = steps.TakeLast(10).Average(s => (double)s["loss"]!);
        Assert.True(last < 0.6 * first, $"the loss went from {first} to {last}");
    }

    [Fact]
    public void A_stopped_run_finishes_its_step_and_saves()
    {
        using var world = new TinyWorld();
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        var result = TinyWorld.Run(stop.Token, "",
            "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world["out"], "--max-steps", "5");
        Assert.Equal(130, result.Code);
        Assert.Contains("Stopped after step 0 of 5", result.Error, StringComparison.Ordinal);
        using var folder = ModelFolder.Open(world["out"]);
        Assert.Equal(32, folder.Config.HiddenSize);
    }

    [Fact]
    public void A_run_that_diverges_stops_names_the_batch_and_keeps_the_weights_before()
    {
        using var world = new TinyWorld();
        var result = Defend(world, "out", "--max-steps", "5", "--learning-rate", "1e30", "--lr-scheduler-type", "constant", "--per-device-train-batch-size", "2", "--save-steps", "1");
        Assert.Equal(1, result.Code);
        Assert.Matches(@"step 2: \w+ is (NaN|-?Infinity)(, first in the gradient of \S+,)? in the batch of .*pairs\.jsonl:\d+, .*pairs\.jsonl:\d+", result.Error);
        Assert.Single(Metrics(world["out"]));
        Assert.False(File.Exists(world["out/model.safetensors"]));
        Assert.True(File.Exists(world["out/last-good/model.safetensors"]));
        Assert.Equal([(1, world["out/checkpoint-1"])], CheckpointFolders.List(world["out"]));
        Assert.Null(CheckpointManifest.Problem(world["out/checkpoint-1"], 1));
    }

    [Fact]
    public void Accumulated_micro_batches_average_their_gradients()
    {
        using var world = new TinyWorld();
        string[] whole = ["--max-steps", "3", "--per-device-train-batch-size", "4"];
        string[] parts = ["--max-steps", "3", "--per-device-train-batch-size", "2", "--gradient-accumulation-steps", "2"];
        // All answers here have the same number of tokens, so the mean of two means is the mean of all.
        string data = world["even.jsonl"];
        File.WriteAllLines(data, File.ReadLines(world.Data("attack.jsonl")).Take(12));
        Assert.Equal(0, Finetune(world, "whole", whole, data).Code);
        Assert.Equal(0, Finetune(world, "parts", parts, data).Code);
        var (a, b) = (Metrics(world["whole"]), Metrics(world["parts"]));
        for (int s = 0; s < 3; s++)
        {
            Assert.Equal((double)a[s]["loss"]!, (double)b[s]["loss"]!, 5);
            Assert.Equal((double)a[s]["grad_norm"]!, (double)b[s]["grad_norm"]!, 4);
        }
    }

    private static ProgramResult Defend(TinyWorld world, string output, params string[] more) => TinyWorld.Run(
        ["defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world[output],
            .. WithDefaults(more, ("--learning-rate", "1e-3"), ("--per-device-train-batch-size", "4"))]);

    private static ProgramResult Finetune(TinyWorld world, string output, string[] more, string? data = null) => TinyWorld.Run(
        ["finetune", world.Model, "--data", data ?? world.Data("pretrain.jsonl"), "--output", world[output], "--completion-only-loss",
            .. WithDefaults(more, ("--learning-rate", "1e-3"), ("--max-steps", "3"))]);

    private static string[] WithDefaults(string[] options, params (string Name, string Value)[] defaults) =>
        [.. defaults.Where(d => !options.Contains(d.Name)).SelectMany(d => (string[])[d.Name, d.Value]), .. options];

    private static List<JsonObject> Metrics(string folder) =>
        [.. File.ReadLines(Path.Combine(folder, "metrics.jsonl")).Select(l => JsonNode.Parse(l)!.AsObject())];

    private static void AssertSameRun(TinyWorld world, string a, string b)
    {
        Assert.Equal(File.ReadAllBytes(world[a + "/model.safetensors"]), File.ReadAllBytes(world[b + "/model.safetensors"]));
        var (first, second) = (Metrics(world[a]), Metrics(world[b]));
        foreach (var step in first.Concat(second))
        {
            foreach (string field in TimeFields) step.Remove(field);
        }

        Assert.Equal(JsonSerializer.Serialize(first), JsonSerializer.Serialize(second));
    }

    private static float[] Logits(string path, Action<Span<float>> round)
    {
        using var folder = ModelFolder.Open(path);
        using var device = Kernels.Devices.Create("cpu", new Kernels.DeviceOptions { Threads = 1 });
        using var parameters = new ModelParameters(folder.Config, device, ParameterUse.Inference);
        parameters.Load((name, offset, target) =>
        {
            folder.Read(name, offset, target);
            round(target);
        });
        return ForwardPass.Logits(parameters, [1, 300, 301, 302, 303]);
    }

    private static void Round(Span<float> values, string dtype)
    {
        foreach (ref float value in values) value = Rounded(value, dtype);
    }

    private static float Rounded(float value, string dtype)
    {
        if (dtype == "F16") return (float)(Half)value;
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }
}
