using System.Globalization;
using System.Text.RegularExpressions;
using RepNoise.Host.Commands;
using RepNoise.Host.Configuration;
using RepNoise.Host.Planning;
using RepNoise.Host.Tests.Cli;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Planning;

/// <summary><c>repnoise plan</c> as a person meets it.</summary>
public sealed class PlanCommandTests
{
    private const string SevenBillion = """
        {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
         "num_key_value_heads": 32, "vocab_size": 32000, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}
        """;

    [Fact]
    public void A_config_alone_is_enough_for_a_model_that_this_machine_could_not_hold()
    {
        using var folder = new TempFolder();
        folder.Write("config.json", SevenBillion);
        string[] line = ["plan", folder.Path, "--per-device-train-batch-size", "8", "--max-length", "256", "--prompt-tokens", "128"];
        var (kept, recomputed) = (TinyWorld.Run(line), TinyWorld.Run([.. line, "--gradient-checkpointing"]));
        Assert.True(kept.Code == 0, kept.Error);
        var bytes = Table(kept.Out);
        const long parameters = 6_738_415_616;
        Assert.InRange(bytes["weights"], 4 * parameters, 4 * parameters + (4 << 20));
        Assert.Equal(bytes["weights"], bytes["gradients"]);
        Assert.InRange(bytes["moments"], 8 * parameters, 8 * parameters + (8 << 20));
        Assert.Equal(bytes["peak"], bytes.Where(row => row.Key is not ("peak" or "runtime")).Sum(row => row.Value));
        // 3072 rows; a layer's forward leaves 8 C + 3 F floats a row, besides statistics.
        Assert.InRange(bytes["activations"], 3072L * 4 * 32 * (8 * 4096 + 3 * 11008), 3072L * 4 * 32 * (9 * 4096 + 3 * 11008));
        long fewer = Table(recomputed.Out)["peak"];
        Assert.InRange(bytes["activations"] / (double)Table(recomputed.Out)["activations"], 9, 12);
        Assert.Contains("With gradient_checkpointing the peak is " + Host.Checkpoints.ModelInspection.HumanBytes(fewer), kept.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Seven_billion_weights_train_on_one_card_of_80_GB_in_bfloat16()
    {
        using var folder = new TempFolder();
        folder.Write("config.json", SevenBillion);
        string[] line = ["plan", folder.Path, "--device", CudaName.Of(""), "--max-length", "256", "--prompt-tokens", "128", "--memory", "80GB"];
        var (wide, narrow) = (TinyWorld.Run(line), TinyWorld.Run([.. line, "--state-dtype", "bfloat16", "--state-rounding", "stochastic"]));
        Assert.Equal(1, wide.Code);
        Assert.True(narrow.Code == 0, narrow.Error);
        const long parameters = 6_738_415_616;
        var bytes = Table(narrow.Out);
        Assert.InRange(bytes["weights"] + bytes["gradients"] + bytes["moments"], 8 * parameters, 8 * parameters + (8 << 20));
        Assert.InRange(bytes["peak"] + bytes["runtime"], 0, 80_000_000_000);
        Assert.Matches(@"The largest batch in 74\.5 GiB is \d\d:", narrow.Out);
    }

    [Fact]
    public void Work_is_that_of_the_operations()
    {
        using var folder = new TempFolder();
        folder.Write("config.json", SevenBillion);
        string[] line = ["plan", folder.Path, "--for", "finetune", "--per-device-train-batch-size", "1", "--max-length", "256"];
        var (one, two) = (TinyWorld.Run([.. line, "--max-steps", "10"]), TinyWorld.Run([.. line, "--gradient-accumulation-steps", "2"]));
        Assert.True(one.Code == 0, one.Error);

        // Products: three times two operations a weight and token, embedding aside; attention and AdamW's 14 a parameter add a little.
        const double products = 6.0 * (6_738_415_616 - 32000 * 4096) * 256, update = 16.0 * 6_738_415_616;
        double flops = Work(one.Out);
        Assert.InRange(flops, products + update, 1.03 * (products + update));
        Assert.InRange(Work(two.Out), 2 * flops - 1.2 * update, 2 * flops - 0.8 * update);
        Assert.Matches(@"Time, an estimate: [0-9.]+ (ms|s|min) a step, [0-9.]+ (ms|s|min|h) for 10 steps, at 45% of the \d+ GFLOP/s", one.Out);
        Assert.Contains("No time is estimated for device reference", TinyWorld.Run([.. line, "--device", "reference"]).Out, StringComparison.Ordinal);

        static double Work(string text)
        {
            var work = Regex.Match(text, @"Work: ([0-9.]+) TFLOP a step");
            Assert.True(work.Success, text);
            return double.Parse(work.Groups[1].Value, CultureInfo.InvariantCulture) * 1e12;
        }
    }

    [Theory]
    [InlineData(0.45e9, 100.0, null, "10 ms a step, at 45% of the 100 GFLOP/s")]
    [InlineData(10.4e12, 173.6, 10, "2.2 min a step, 22 min for 10 steps, at 45% of the 174 GFLOP/s")]
    [InlineData(4.5e12, 100.0, 7200, "100.0 s a step, 8.3 days for 7,200 steps, at 45% of the 100 GFLOP/s")]
    public void Time_is_work_over_the_measured_rate(double flops, double rate, int? steps, string expected) =>
        Assert.StartsWith("Time, an estimate: " + expected, TimeEstimate.Describe(flops, rate, steps), StringComparison.Ordinal);

    [Fact]
    public void The_line_of_a_run_is_planned_by_its_data()
    {
        using var world = new TinyWorld();
        string[] defence = [world.Model, "--pairs", world.Data("pairs.jsonl"), "--retain", world.Data("retain.jsonl"), "--output", "never-made", "--learning-rate", "1e-4"];
        var result = TinyWorld.Run(["plan", .. defence, "--per-device-train-batch-size", "4"]);
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains("4 of 360 pairs, the longest first", result.Out, StringComparison.Ordinal);
        Assert.Contains("8 retain examples", result.Out, StringComparison.Ordinal);
        var assumed = TinyWorld.Run("plan", world.Model, "--per-device-train-batch-size", "4", "--retain-rows", "8");
        Assert.True(Table(result.Out)["activations"] < Table(assumed.Out)["activations"]);

        var finetune = TinyWorld.Run("plan", world.Model, "--data", world.Data("pretrain.jsonl"), "--completion-only-loss");
        Assert.True(finetune.Code == 0, finetune.Error);
        Assert.Contains("finetune " + world.Model, finetune.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("ascent", Table(finetune.Out).Keys);
        Assert.False(Directory.Exists("never-made"));
    }

    [Fact]
    public void A_configuration_tells_which_command_it_is_for()
    {
        using var folder = new TempFolder();
        string defend = folder.Write("defend.yaml", "model: m\npairs: p\n"), finetune = folder.Write("finetune.yaml", "model: m\ncompletion_only_loss: true\n");
        Assert.IsType<DefendRun>(FakeProgram.Read<PlanOptions>("plan", "--config", defend).Run);
        Assert.IsType<FinetuneRun>(FakeProgram.Read<PlanOptions>("plan", "--config", finetune).Run);
        Assert.IsType<FinetuneRun>(FakeProgram.Read<PlanOptions>("plan", "m", "--for", "finetune").Run);
        Assert.IsType<DefendRun>(FakeProgram.Read<PlanOptions>("plan", "m").Run);
        Assert.Equal(24L << 30, FakeProgram.Read<PlanOptions>("plan", "m", "--memory", "24GiB").Memory);
        Assert.Equal(1_500_000_000, FakeProgram.Read<PlanOptions>("plan", "m", "--memory", "1.5 gb").Memory);
    }

    [Fact]
    public void The_largest_batch_is_named_and_what_to_set()
    {
        using var folder = new TempFolder();
        folder.Write("config.json", SevenBillion);
        var result = TinyWorld.Run("plan", folder.Path, "--memory", "120GiB", "--prompt-tokens", "128");
        Assert.True(result.Code == 0, result.Error);
        Assert.Matches("The largest batch in 120.0 GiB is [1-7]: peak 1[01][0-9].[0-9] GiB", result.Out);
        Assert.Matches("set per_device_train_batch_size to [1-7]", result.Out);
        Assert.Matches("With gradient_checkpointing it is [1-9][0-9]", result.Out);
    }

    [Theory]
    [InlineData("24GiB", @"24.0 GiB is \d+.\d GiB less than a batch of 1 needs; .*Weights, gradients and moments alone are 100.4 GiB: take a smaller model")]
    [InlineData("105GiB", @"Set gradient_checkpointing: true, which needs 10\d.\d GiB and fits")]
    [InlineData("101GiB", @"gradient_checkpointing: true still needs 10\d.\d GiB")]
    [InlineData("101.5GiB", @"Set max_length: \d+ with gradient_checkpointing: true, which needs 10\d.\d GiB and fits")]
    public void A_budget_too_small_for_one_pair_says_by_how_much_and_what_helps(string memory, string message)
    {
        using var folder = new TempFolder();
        folder.Write("config.json", SevenBillion);
        var result = TinyWorld.Run("plan", folder.Path, "--memory", memory);
        Assert.Equal(1, result.Code);
        Assert.Matches(message, result.Error);
        Assert.Contains("peak", result.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--memory: found \"24\u00a0cows\"; expected a size such as 24GiB", "m", "--memory", "24\u00a0cows")]
    [InlineData("--memory: found \"0GiB\"", "m", "--memory", "0GiB")]
    [InlineData("--data: does not belong here; expected a setting of this command; data belongs to finetune", "m", "--for", "defend", "--data", "d")]
    [InlineData("--pairs: does not belong here; expected a setting of this command; pairs belongs to defend", "m", "--for", "finetune", "--pairs", "d")]
    [InlineData("model: not given", "--memory", "1GB")]
    public void Wrong_lines_are_explained(string message, params string[] line)
    {
        var program = new FakeProgram();
        Assert.Equal(2, program.Run(["plan", .. line]));
        Assert.Contains(message, program.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_planning_needs_and_lacks_is_named()
    {
        using var folder = new TempFolder();
        var none = TinyWorld.Run("plan", folder.Path);
        Assert.Equal(1, none.Code);
        Assert.Contains("planning needs no weights", none.Error, StringComparison.OrdinalIgnoreCase);
        folder.Write("config.json", SevenBillion);
        var layers = TinyWorld.Run("plan", folder.Path, "--noise-layers", "30-40");
        Assert.Contains("layers 0-31, which the model has", layers.Error, StringComparison.Ordinal);
        var tokenizer = TinyWorld.Run("plan", folder.Path, "--pairs", folder.Write("pairs.jsonl", """{"prompt": "a", "harmful": "b", "harmless": "c"}"""));
        Assert.Equal(1, tokenizer.Code);
        Assert.Contains("tokenizer.json", tokenizer.Error, StringComparison.Ordinal);
    }

    private static Dictionary<string, long> Table(string output) => output.Split('\n')
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(words => words.Length >= 4 && words[3] is "B" or "KiB" or "MiB" or "GiB")
        .ToDictionary(words => words[0], words => long.Parse(words[1], NumberStyles.AllowThousands, CultureInfo.InvariantCulture));
}
