using System.Text.RegularExpressions;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Tests.Support;
using RepNoise.Reliability;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>Runs that go on from a checkpoint give what the uninterrupted run gives, to the bit, and refuse to go on as another run.</summary>
public sealed class ResumeTests
{
    private static readonly string[] CheckpointFiles =
    [
        "config.json", "generation_config.json", "manifest.json", "metrics.jsonl", "model.safetensors", "optimizer.safetensors", "rng_state.json",
        "tokenizer.json", "trainer_state.json", "training_args.json",
    ];

    [Theory]
    [InlineData("float32", 1, 2)]
    [InlineData("bfloat16", 2, 1)]
    public void A_defence_goes_on_to_the_bit_on_another_number_of_threads(string dtype, int before, int after)
    {
        using var world = new TinyWorld(dtype);
        string[] run =
        [
            "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--retain", world.Data("retain.jsonl"), "--learning-rate", "3e-3",
            "--per-device-train-batch-size", "3", "--gradient-accumulation-steps", "2", "--max-steps", "7",
        ];
        Good([.. run, "--output", world["whole"], "--save-steps", "0", "--threads", $"{before}"]);
        Good([.. run, "--output", world["saved"], "--save-steps", "2", "--save-total-limit", "all", "--threads", $"{before}"]);
        AssertSame(world["whole"], world["saved"]);
        Assert.Equal(["checkpoint-2", "checkpoint-4", "checkpoint-6"], Checkpoints(world["saved"]));
        Assert.Equal(CheckpointFiles, Directory.EnumerateFiles(world["saved/checkpoint-4"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        var state = NaiveSafetensors.Read(world["saved/checkpoint-4/optimizer.safetensors"]);
        Assert.Equal(dtype != "float32", state.ContainsKey("model.norm.weight.master"));
        Assert.Contains("model.norm.weight.exp_avg", state.Keys);

        // As a kill in step 5 leaves it: more metrics than the checkpoint has, no model.
        Interrupt(world["saved"], world["cut"], 4);
        var resumed = Good([.. run, "--output", world["cut"], "--save-steps", "3", "--resume-from-checkpoint", "true", "--threads", $"{after}"]);
        Assert.Contains($"Going on after step 4, from {world["cut/checkpoint-4"]}.", resumed.Error, StringComparison.Ordinal);
        AssertSame(world["whole"], world["cut"]);
        Assert.Equal(["checkpoint-4", "checkpoint-6"], Checkpoints(world["cut"]));
    }

    [Fact]
    public void Fine_tuning_from_random_weights_goes_on_across_epochs_from_a_checkpoint_by_name()
    {
        using var world = new TinyWorld();
        string data = world["few.jsonl"];
        File.WriteAllLines(data, File.ReadLines(world.Data("pretrain.jsonl")).Take(10));
        string[] run =
        [
            "finetune", world.Data("model"), "--from-scratch", world.ConfigPath, "--data", data, "--per-device-train-batch-size", "3",
            "--gradient-accumulation-steps", "2", "--num-train-epochs", "4", "--optim", "adam", "--weight-decay", "0.1", "--save-steps", "3",
        ];
        Good([.. run, "--output", world["whole"]]);
        Assert.Equal(["checkpoint-3", "checkpoint-6"], Checkpoints(world["whole"]));
        Good([.. run, "--output", world["other"], "--resume-from-checkpoint", world["whole/checkpoint-3"]]);
        AssertSame(world["whole"], world["other"]);
    }

    [Theory]
    [InlineData("reference:float64")]
    [InlineData("cuda:sim")]
    public void Other_number_formats_of_the_state_are_kept_too(string device)
    {
        using var world = new TinyWorld("bfloat16");
        string few = world["pairs.jsonl"];
        File.WriteAllLines(few, File.ReadLines(world.Data("pairs.jsonl")).Take(4));
        string[] run = ["defend", world.Model, "--pairs", few, "--max-steps", "2", "--per-device-train-batch-size", "1", "--device", device, "--save-steps", "1"];
        Good([.. run, "--output", world["whole"]]);
        Interrupt(world["whole"], world["cut"], 1);
        Good([.. run, "--output", world["cut"], "--resume-from-checkpoint", "true"]);
        AssertSame(world["whole"], world["cut"]);
    }

    [Fact]
    public void A_changed_setting_or_file_is_refused_with_the_difference_unless_told()
    {
        using var world = new TinyWorld();
        string pairs = world["pairs.jsonl"];
        File.Copy(world.Data("pairs.jsonl"), pairs);
        string[] run = ["defend", world.Model, "--pairs", pairs, "--max-steps", "4", "--per-device-train-batch-size", "2", "--save-steps", "2", "--output", world["out"]];
        Good(run);
        string[] again = [.. run, "--resume-from-checkpoint", "true"];
        var changed = TinyWorld.Run([.. again, "--learning-rate", "1e-3", "--retain", world.Data("retain.jsonl")]);
        Assert.Equal(1, changed.Code);
        Assert.Contains(
            $"checkpoint-2: this run is not the one that saved it: learning_rate is 0.001, was 2.0e-05; retain is {world.Data("retain.jsonl")}, was not given; "
            + "expected the same settings and data. Put them back, or give --resume-despite-changes to go on all the same.",
            changed.Error.Replace("2E-05", "2.0e-05", StringComparison.Ordinal), StringComparison.Ordinal);
        File.AppendAllText(pairs, "\n");
        Assert.Matches(@"pairs holds other data \(.*pairs\.jsonl: \d+ bytes, SHA-256 [0-9a-f]{12}\.\.\., was .*\)", TinyWorld.Run(again).Error);
        var told = Good([.. again, "--resume-despite-changes"]);
        Assert.Contains("Going on despite changes: pairs holds other data", told.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_checkpoint_a_run_begins_and_a_finished_one_ends_again_as_it_did()
    {
        using var world = new TinyWorld();
        string[] run =
        [
            "finetune", world.Model, "--data", world.Data("pretrain.jsonl"), "--max-steps", "4", "--save-steps", "3", "--output", world["out"],
            "--resume-from-checkpoint", "true",
        ];
        Assert.Contains("has no checkpoint yet: beginning at step 1", Good(run).Error, StringComparison.Ordinal);
        RunFiles.Copy(world["out"], world["before"]);
        Assert.Contains("Going on after step 3", Good(run).Error, StringComparison.Ordinal);
        AssertSame(world["before"], world["out"]);
        string[] fresh = run[..^2];
        Assert.Contains("Give --resume-from-checkpoint true to go on with that run", TinyWorld.Run(fresh).Error, StringComparison.Ordinal);

        // Overwriting begins again, and no checkpoint of the earlier run is left to be taken for one of this run.
        Good([.. fresh[..^2], "--overwrite-output-dir", "--output", world["out"], "--max-grad-norm", "2"]);
        Assert.Equal(["checkpoint-3"], Checkpoints(world["out"]));
        Assert.Contains("\"max_grad_norm\": [\n      \"2\"", File.ReadAllText(world["out/checkpoint-3/training_args.json"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--max-steps", "2")]
    [InlineData("--num-train-epochs", "2")]
    public void A_finished_run_without_checkpoints_has_nothing_left_to_do(string length, string count)
    {
        using var world = new TinyWorld();
        string few = world["pairs.jsonl"];
        File.WriteAllLines(few, File.ReadLines(world.Data("pairs.jsonl")).Take(3));
        string[] run = ["defend", world.Model, "--pairs", few, length, count, "--per-device-train-batch-size", "2", "--output", world["out"], "--save-steps", "0"];
        Good(run);
        var before = Directory.EnumerateFiles(world["out"]).ToDictionary(file => file, File.GetLastWriteTimeUtc);
        var again = Good([.. run, "--resume-from-checkpoint", "true", "--threads", "1"]);
        Assert.Matches($@"{Regex.Escape(world["out"])} holds this run, finished after [24] steps: nothing is left to do\.", again.Error);
        Assert.Equal(before, Directory.EnumerateFiles(world["out"]).ToDictionary(file => file, File.GetLastWriteTimeUtc));

        // Another run, or this one cut short, is what it was before: a model that stands there.
        var other = TinyWorld.Run([.. run, "--resume-from-checkpoint", "true", "--learning-rate", "1e-4"]);
        Assert.True(other.Code == 1 && other.Error.Contains("already holds", StringComparison.Ordinal), other.Error);
        string metrics = world["out/metrics.jsonl"];
        File.WriteAllLines(metrics, File.ReadLines(metrics).Take(1).ToList());
        Assert.Equal(1, TinyWorld.Run([.. run, "--resume-from-checkpoint", "true"]).Code);
    }

    [Fact]
    public void A_model_that_was_saved_in_a_checkpoint_can_be_used_as_a_model()
    {
        using var world = new TinyWorld();
        string[] rest = ["--data", world.Data("pretrain.jsonl"), "--max-steps", "2"];
        Good(["finetune", world.Model, .. rest, "--save-steps", "1", "--output", world["out"]]);
        Good(["finetune", world["out/checkpoint-1"], .. rest, "--output", world["next"]]);
        Assert.False(File.Exists(world["next/trainer_state.json"]));
        using var folder = ModelFolder.Open(world["next"]);
        Assert.Equal(2, folder.Config.NumHiddenLayers);
    }

    [Fact]
    public void Replay_starts_from_the_checkpoint_before_the_step()
    {
        using var world = new TinyWorld("bfloat16");
        Good(["defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--max-steps", "5", "--per-device-train-batch-size", "2", "--save-steps", "2", "--output", world["out"]]);
        var result = Good(["replay", world["out"], "--step", "4"]);
        Assert.Contains($"Going on from {world["out/checkpoint-2"]}.", result.Error, StringComparison.Ordinal);
        Assert.Contains("Steps 3 to 4: every number equals its record to the bit.", result.Out, StringComparison.Ordinal);
        Assert.Contains("Steps 1 to 4: every number", Good(["replay", world["out"], "--step", "4", "--from-start"]).Out, StringComparison.Ordinal);
        Assert.Contains("Steps 1 to 2: every number", Good(["replay", world["out"], "--step", "2"]).Out, StringComparison.Ordinal);
        Assert.Contains("within --rtol", Good(["replay", world["out"], "--step", "4", "--device", "reference:float32", "--rtol", "1e-3"]).Out, StringComparison.Ordinal);
    }

    private static ProgramResult Good(string[] line)
    {
        var result = TinyWorld.Run(line);
        Assert.True(result.Code == 0, result.Error + result.Out);
        return result;
    }

    private static void AssertSame(string expected, string found) => Assert.Null(RunFiles.Difference(expected, found));

    private static IEnumerable<string> Checkpoints(string output) =>
        Directory.EnumerateDirectories(output).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal);

    /// <summary>A folder as a process leaves it that dies a step after a checkpoint, while it saves another.</summary>
    private static void Interrupt(string run, string to, int step)
    {
        Directory.CreateDirectory(to);
        File.Copy(Path.Combine(run, "run.yaml"), Path.Combine(to, "run.yaml"));
        File.WriteAllLines(Path.Combine(to, "metrics.jsonl"), File.ReadLines(Path.Combine(run, "metrics.jsonl")).Take(step + 1));
        RunFiles.Copy(Path.Combine(run, $"checkpoint-{step}"), Path.Combine(to, $"checkpoint-{step}"));
        Directory.CreateDirectory(Path.Combine(to, $".checkpoint-{step + 1}.saving"));
        File.WriteAllText(Path.Combine(to, $".checkpoint-{step + 1}.saving", "optimizer.safetensors"), "half");
    }
}
