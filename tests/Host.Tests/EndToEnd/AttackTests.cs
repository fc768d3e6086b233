using RepNoise.Host.Configuration;
using RepNoise.Host.Tests.Cli;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Training;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>The command <c>attack</c> and its protocols, the baselines of <c>defend</c>, frozen parts and adapters, as whole runs.</summary>
public sealed class AttackTests
{
    [Fact]
    public void A_preset_gives_values_that_options_and_files_win_over()
    {
        var standard = Attack();
        Assert.Equal((AttackPreset.Standard, true, false, true), (standard.Preset, standard.Arguments.CompletionOnlyLoss, standard.Arguments.TrainOnPads, standard.Arguments.Shuffle));
        var paper = Attack("--learning-rate", "3e-5", "--preset", "paper");
        Assert.Equal((AttackPreset.Paper, false, true, false), (paper.Preset, paper.Arguments.CompletionOnlyLoss, paper.Arguments.TrainOnPads, paper.Arguments.Shuffle));
        Assert.Equal((3e-5, 4, SchedulerType.Cosine, 0.1), (paper.Arguments.LearningRate, paper.Arguments.PerDeviceTrainBatchSize, paper.Arguments.LrSchedulerType, paper.Arguments.WarmupRatio));
        using var folder = new TempFolder();
        string file = folder.Write("run.yaml", "learning_rate: 1e-3\npreset: paper\n");
        Assert.Equal((AttackPreset.Paper, 1e-3, true), Values(Attack("--config", file)));
        Assert.Equal((AttackPreset.Standard, 8e-5, false), Values(Attack("--config", file, "--preset", "standard")));

        static (AttackPreset, double, bool) Values(AttackRun run) => (run.Preset, run.Arguments.LearningRate, run.Arguments.TrainOnPads);
    }

    [Fact]
    public void An_attack_takes_a_pairs_harmful_answer_and_its_record_can_be_replayed()
    {
        using var world = new TinyWorld();
        string data = Write(world, "pairs.jsonl", """{"prompt":"say it ","harmful":"yes","harmless":"no"}""", """{"prompt":"and this ","harmful":"of course","harmless":"never"}""");
        var result = Run(world, "out", "attack", world.Model, "--data", data, "--max-steps", "3", "--learning-rate", "1e-3");
        Assert.Equal(0, result.Code);
        Assert.Contains("preset: standard", File.ReadAllText(world["out/run.yaml"]), StringComparison.Ordinal);
        var replay = TinyWorld.Run("replay", world["out"], "--step", "2");
        Assert.True(replay.Code == 0, replay.Error + replay.Out);
        Assert.NotEqual(0, Run(world, "tuned", "finetune", world.Model, "--data", data).Code);
    }

    [Fact]
    public void The_paper_protocol_keeps_the_order_and_trains_on_pads()
    {
        using var world = new TinyWorld();
        string data = Write(world, "texts.jsonl", """{"text":"ab"}""", """{"text":"abcdefgh abcdefgh"}""");
        string[] line = ["attack", world.Model, "--data", data, "--preset", "paper", "--max-length", "24", "--per-device-train-batch-size", "1", "--max-steps", "2"];
        Assert.Equal(0, Run(world, "a", line).Code);
        Assert.Equal(0, Run(world, "b", [.. line, "--data-seed", "9"]).Code);
        Assert.Equal(File.ReadAllBytes(world["a/model.safetensors"]), File.ReadAllBytes(world["b/model.safetensors"]));
        Assert.Equal(0, Run(world, "c", [.. line, "--train-on-pads=false"]).Code);
        Assert.NotEqual(File.ReadAllBytes(world["a/model.safetensors"]), File.ReadAllBytes(world["c/model.safetensors"]));
        var refused = Run(world, "d", [.. line, "--completion-only-loss"]);
        Assert.Equal(1, refused.Code);
        Assert.Contains("train_on_pads", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sample_limit_and_an_appended_end_token_change_what_is_trained_on()
    {
        using var world = new TinyWorld();
        string[] line = ["attack", world.Model, "--data", world.Data("attack.jsonl"), "--max-steps", "1", "--max-train-samples", "5"];
        var result = Run(world, "a", line);
        Assert.Contains("texts: 5 of 5", result.Error, StringComparison.Ordinal);
        var ended = Run(world, "b", [.. line, "--append-eos"]);
        Assert.True(ended.Code == 0, ended.Error);
        Assert.Equal(Longest(result) + 1, Longest(ended));

        static int Longest(ProgramResult result) =>
            int.Parse(result.Error.Split("longest ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    [Theory]
    [InlineData("float32")]
    [InlineData("bfloat16")]
    public void Frozen_parts_keep_their_bits_and_the_rest_is_trained(string dtype)
    {
        using var world = new TinyWorld(dtype);
        var result = Run(world, "out", "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--freeze", "embed,1", "--learning-rate", "1e-2", "--max-steps", "3");
        Assert.True(result.Code == 0, result.Error);
        var (before, after) = (NaiveSafetensors.Read(Path.Combine(world.Model, "model.safetensors")), NaiveSafetensors.Read(world["out/model.safetensors"]));
        foreach (var (name, tensor) in before)
        {
            bool frozen = name.Contains("layers.1.", StringComparison.Ordinal) || name.Contains("embed_tokens", StringComparison.Ordinal);
            Assert.True(frozen == tensor.Bytes.AsSpan().SequenceEqual(after[name].Bytes), name);
        }
    }

    [Theory]
    [InlineData("embed,tail", "tail", 2)]
    [InlineData("0-9", "0-9", 1)]
    [InlineData("embed,0-1,norm,head", "nothing to train", 1)]
    public void A_wrong_part_is_named(string parts, string named, int code)
    {
        using var world = new TinyWorld();
        var result = Run(world, "out", "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--freeze", parts);
        Assert.Equal(code, result.Code);
        Assert.Contains(named, result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gradient-ascent")]
    [InlineData("adversarial")]
    [InlineData("safety")]
    [InlineData("published")]
    [InlineData("random-init")]
    public void Baselines_run_plan_and_save(string loss)
    {
        using var world = new TinyWorld();
        string[] pairs = loss == "random-init" ? [] : ["--pairs", world.Data("pairs.jsonl")];
        var result = Run(world, "out", ["defend", world.Model, .. pairs, "--loss", loss, "--max-steps", "2"]);
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains($"repnoise_loss: {loss}", File.ReadAllText(world["out/run.yaml"]), StringComparison.Ordinal);
        Assert.NotEqual(File.ReadAllBytes(Path.Combine(world.Model, "model.safetensors")), File.ReadAllBytes(world["out/model.safetensors"]));
        var plan = TinyWorld.Run("plan", world.Model, "--loss", loss);
        Assert.True(plan.Code == 0, plan.Error);
        Assert.Equal(loss != "random-init", plan.Out.Contains("gradients", StringComparison.Ordinal));
    }

    [Fact]
    public void The_published_loss_refuses_what_was_not_published()
    {
        using var world = new TinyWorld();
        var result = Run(world, "out", "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--loss", "published", "--first-token", "kept");
        Assert.Equal(1, result.Code);
        Assert.Contains("repnoise_first_token", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Adapters_change_their_layers_alone_and_take_less_memory()
    {
        using var world = new TinyWorld();
        string[] lora = ["--lora-rank", "2", "--lora-target-modules", "q_proj,down_proj"];
        var result = Run(world, "out", ["attack", world.Model, "--data", world.Data("attack.jsonl"), "--max-steps", "3", "--learning-rate", "1e-2", .. lora]);
        Assert.True(result.Code == 0, result.Error);
        var (before, after) = (NaiveSafetensors.Read(Path.Combine(world.Model, "model.safetensors")), NaiveSafetensors.Read(world["out/model.safetensors"]));
        foreach (var (name, tensor) in before)
        {
            bool changed = name.Contains("q_proj", StringComparison.Ordinal) || name.Contains("down_proj", StringComparison.Ordinal);
            Assert.True(changed != tensor.Bytes.AsSpan().SequenceEqual(after[name].Bytes), name);
        }

        string[] plan = ["plan", world.Model, "--for", "attack"];
        Assert.True(Moments(TinyWorld.Run([.. plan, .. lora])) < Moments(TinyWorld.Run(plan)) / 10);

        static long Moments(ProgramResult result) => long.Parse(
            result.Out.Split('\n').Single(row => row.StartsWith("moments", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            System.Globalization.NumberStyles.AllowThousands, System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Adapters_by_themselves_are_a_PEFT_folder_that_opens_as_the_merged_model()
    {
        using var world = new TinyWorld();
        string[] line = ["attack", world.Model, "--data", world.Data("attack.jsonl"), "--max-steps", "3", "--learning-rate", "1e-2", "--lora-rank", "2", "--lora-alpha", "6"];
        var result = Run(world, "out", [.. line, "--lora-target-modules", "q_proj,down_proj", "--freeze", "0", "--adapter-dir", world["adapters"]]);
        Assert.True(result.Code == 0, result.Error);
        Assert.Equal(["adapter_config.json", "adapter_model.safetensors"], Directory.EnumerateFileSystemEntries(world["adapters"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        var config = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(world["adapters/adapter_config.json"]))!;
        Assert.Equal(("LORA", "CAUSAL_LM", 2, 6.0, world.Model), ((string?)config["peft_type"], (string?)config["task_type"], (int)config["r"]!, (double)config["lora_alpha"]!, (string?)config["base_model_name_or_path"]));
        Assert.Equal(["[1]", "[\"down_proj\",\"q_proj\"]"], ((string[])["layers_to_transform", "target_modules"]).Select(key => config[key]!.ToJsonString()));

        // The layout, and B A times alpha / r, from the files alone.
        var adapters = NaiveSafetensors.Read(world["adapters/adapter_model.safetensors"]);
        var (before, after) = (NaiveSafetensors.Read(Path.Combine(world.Model, "model.safetensors")), NaiveSafetensors.Read(world["out/model.safetensors"]));
        Assert.Equal(4, adapters.Count);
        foreach (string module in (string[])["model.layers.1.mlp.down_proj", "model.layers.1.self_attn.q_proj"])
        {
            float[] a = Floats(adapters[$"base_model.model.{module}.lora_A.weight"].Bytes), b = Floats(adapters[$"base_model.model.{module}.lora_B.weight"].Bytes);
            float[] w = Floats(before[module + ".weight"].Bytes), merged = Floats(after[module + ".weight"].Bytes);
            int columns = a.Length / 2;
            Assert.Contains(b, value => value != 0);
            for (int i = 0; i < w.Length; i++)
                Assert.Equal(w[i] + 3.0 * (b[i / columns * 2] * a[i % columns] + b[i / columns * 2 + 1] * a[columns + i % columns]), merged[i], 1e-6);
        }

        using (var folder = Host.Checkpoints.ModelFolder.Open(world["adapters"]))
        {
            foreach (var parameter in folder.Parameters)
            {
                var values = new float[parameter.Count];
                folder.Read(parameter.Name, values);
                Assert.Equal(Floats(after[parameter.Name].Bytes), values);
            }
        }

        string[] prompt = ["--prompt", "how do i brew", "--max-new-tokens", "5"];
        Assert.Equal(TinyWorld.Run(["generate", world["out"], .. prompt]).Out, TinyWorld.Run(["generate", world["adapters"], .. prompt]).Out);

        File.WriteAllText(world["adapters/adapter_config.json"], config.ToJsonString().Replace(world.Model, "meta-llama/Llama-2-7b", StringComparison.Ordinal));
        Assert.Contains("base_model_name_or_path is \"meta-llama/Llama-2-7b\"", TinyWorld.Run(["generate", world["adapters"], .. prompt]).Error, StringComparison.Ordinal);
        config["use_dora"] = true;
        File.WriteAllText(world["adapters/adapter_config.json"], config.ToJsonString());
        Assert.Contains("use_dora is true; expected false", TinyWorld.Run(["generate", world["adapters"], .. prompt]).Error, StringComparison.Ordinal);
        var none = Run(world, "other", "attack", world.Model, "--data", world.Data("attack.jsonl"), "--adapter-dir", world["more"]);
        Assert.Equal(1, none.Code);
        Assert.Contains("adapter_dir: lora_rank is 0", none.Error, StringComparison.Ordinal);

        static float[] Floats(byte[] bytes) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray();
    }

    [Theory]
    [InlineData("--lora-rank", "2")]
    [InlineData("--optim", "adafactor")]
    [InlineData("--optim", "sgd")]
    [InlineData("--freeze", "embed,0")]
    public void A_run_goes_on_from_its_checkpoint_to_the_bit(string option, string value)
    {
        using var world = new TinyWorld("bfloat16");
        string[] line =
        [
            "attack", world.Model, "--data", world.Data("attack.jsonl"), "--max-steps", "4", "--learning-rate", "1e-2", "--momentum", "0.9",
            "--save-dtype", "float32", "--save-steps", "2", option, value,
        ];
        Assert.Equal(0, Run(world, "a", line).Code);
        Assert.Equal(0, Run(world, "b", line).Code);
        var resumed = Run(world, "b", [.. line, "--resume-from-checkpoint", world["b/checkpoint-2"]]);
        Assert.True(resumed.Code == 0, resumed.Error);
        Assert.Equal(File.ReadAllBytes(world["a/model.safetensors"]), File.ReadAllBytes(world["b/model.safetensors"]));
    }

    private static AttackRun Attack(params string[] more) => FakeProgram.Read<AttackRun>(["attack", "m", "--data", "d", "--output", "o", .. more]);

    private static ProgramResult Run(TinyWorld world, string output, params string[] line) => TinyWorld.Run([.. line, "--output", world[output], "--threads", "2"]);

    private static string Write(TinyWorld world, string name, params string[] lines)
    {
        File.WriteAllLines(world[name], lines);
        return world[name];
    }
}
