using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>A step of a finished run, run again.</summary>
public sealed class ReplayTests
{
    [Fact]
    public void A_defences_step_comes_again_to_the_bit()
    {
        using var world = new TinyWorld();
        Defend(world);
        var before = Listing(world["out"]);
        var result = TinyWorld.Run("replay", world["out"], "--step", "3", "--threads", "1", "--dump-tensors", world["again"]);
        Assert.True(result.Code == 0, result.Error + result.Out);
        Assert.Contains("Steps 1 to 3: every number equals its record to the bit.", result.Out, StringComparison.Ordinal);
        Assert.Matches(@"\nmmd\.1 +[\d.E-]+ +[\d.E-]+ +0\.0e\+?00 +0\n", result.Out);

        // Batch, noise, activations, gradients and weights too, not only the terms.
        var same = TinyWorld.Run("compare", world["dump"], world["again"]);
        Assert.True(same.Code == 0, same.Out);
        Assert.Equal(before, Listing(world["out"]));
    }

    [Fact]
    public void Another_device_shows_how_far_it_is_from_the_record()
    {
        using var world = new TinyWorld();
        Defend(world);
        var shown = TinyWorld.Run("replay", world["out"], "--step", "1", "--device", "reference:float32");
        Assert.True(shown.Code == 0, shown.Error + shown.Out);
        Assert.Contains("Step 1 is the first that differs from its record.", shown.Out, StringComparison.Ordinal);
        Assert.Contains("within --rtol", TinyWorld.Run("replay", world["out"], "--step", "1", "--device", "reference:float32", "--rtol", "1e-4").Out, StringComparison.Ordinal);
        Assert.Equal(1, TinyWorld.Run("replay", world["out"], "--step", "1", "--device", "reference:float32", "--rtol", "1e-12").Code);
    }

    [Fact]
    public void A_changed_record_is_noticed_at_its_step()
    {
        using var world = new TinyWorld();
        Defend(world);
        string path = world["out/metrics.jsonl"];
        string[] lines = File.ReadAllLines(path);
        lines[1] = lines[1].Replace("\"grad_norm\":", "\"grad_norm\":1", StringComparison.Ordinal);
        File.WriteAllLines(path, lines);
        var result = TinyWorld.Run("replay", world["out"], "--step", "3");
        Assert.Equal(1, result.Code);
        Assert.Contains("Step 2 is the first that differs from its record.", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Fine_tuning_from_random_weights_comes_again_too()
    {
        using var world = new TinyWorld();
        var run = TinyWorld.Run("finetune", world.Model, "--from-scratch", world.ConfigPath, "--data", world.Data("pretrain.jsonl"), "--output", world["out"],
            "--max-steps", "3", "--per-device-train-batch-size", "4", "--gradient-accumulation-steps", "2");
        Assert.True(run.Code == 0, run.Error);
        var result = TinyWorld.Run("replay", world["out"], "--step", "2");
        Assert.True(result.Code == 0, result.Error + result.Out);
        Assert.Contains("every number equals its record to the bit", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Mistakes_are_told_what_to_do()
    {
        using var world = new TinyWorld();
        Defend(world);
        Refused("it holds no run.yaml; expected the output folder of defend, finetune or attack", "replay", world.Model, "--step", "1");
        Refused("--step: not given", "replay", world["out"]);
        Refused("--step: found 9; expected a step of the run, 1 to 4", "replay", world["out"], "--step", "9");
        File.AppendAllText(world["out/metrics.jsonl"], "{oops\n");
        Refused("metrics.jsonl:5: it is not a step's record", "replay", world["out"], "--step", "1");
        File.WriteAllText(world["out/run.yaml"], File.ReadAllText(world["out/run.yaml"]).Replace("pairs.jsonl", "moved.jsonl", StringComparison.Ordinal));
        Refused("moved.jsonl, which is not there; expected a path that exists, seen from this folder. Run replay from the folder", "replay", world["out"], "--step", "1");
    }

    [Fact]
    public void A_step_past_the_record_runs_and_says_so()
    {
        using var world = new TinyWorld();
        Defend(world);
        File.WriteAllLines(world["out/metrics.jsonl"], File.ReadAllLines(world["out/metrics.jsonl"])[..2]);
        var result = TinyWorld.Run("replay", world["out"], "--step", "3");
        Assert.Equal(0, result.Code);
        Assert.Contains("The record ends at step 2", result.Error, StringComparison.Ordinal);
    }

    private static List<(string, long, DateTime)> Listing(string folder) =>
        [.. new DirectoryInfo(folder).EnumerateFiles().OrderBy(file => file.Name, StringComparer.Ordinal).Select(file => (file.Name, file.Length, file.LastWriteTimeUtc))];

    private static void Refused(string message, params string[] line)
    {
        var result = TinyWorld.Run(line);
        Assert.NotEqual(0, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    private static void Defend(TinyWorld world)
    {
        var result = TinyWorld.Run(
            "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--retain", world.Data("retain.jsonl"), "--output", world["out"], "--max-steps", "4",
            "--per-device-train-batch-size", "2", "--learning-rate", "1e-3", "--dump-tensors", world["dump"], "--dump-steps", "3");
        Assert.True(result.Code == 0, result.Error);
    }
}
