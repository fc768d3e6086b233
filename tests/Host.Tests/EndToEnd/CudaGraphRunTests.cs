using RepNoise.Host.Tests.Support;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>Whole runs whose steps are submitted as CUDA graphs: the same bits, few graphs that are made anew, and what is said of them.</summary>
public sealed class CudaGraphRunTests
{
    /// <summary>Set in the process that runs the tests once more on streams that are as late as they may be.</summary>
    private const string Variable = "REPNOISE_TEST_LATE_GRAPHS";

    private static readonly string[] On = ["--cuda-graphs", "on"];

    /// <summary>A step is a graph each to clear gradients, for each micro-batch, for the norm and for the update; the first of each is not captured.</summary>
    [Fact]
    public void Texts_of_one_length_instantiate_each_graph_once()
    {
        using var world = new TinyWorld();
        string pair = File.ReadLines(world.Data("pairs.jsonl")).First(), data = world["even.jsonl"];
        File.WriteAllLines(data, Enumerable.Repeat(pair, 12));
        string[] run = ["--max-steps", "3", "--gradient-accumulation-steps", "2"];
        var (direct, captured) = (Defend(world, "direct", data, run), Defend(world, "captured", data, [.. run, .. On]));
        AssertSame(world);
        Assert.DoesNotContain("graphs", direct.Error, StringComparison.Ordinal);
        Assert.Contains(", CUDA graphs\n", captured.Error, StringComparison.Ordinal);
        Assert.Contains("cuda_graphs: 11 launched, 7 of them updated and 4 instantiated.", captured.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_of_many_lengths_give_the_bits_of_a_run_without_graphs()
    {
        using var world = new TinyWorld();
        string data = world.Data("pairs.jsonl");
        string[] run = ["--max-steps", "3", "--retain", world.Data("retain.jsonl"), "--max-grad-norm", "0.1"];
        Defend(world, "direct", data, run);
        Defend(world, "captured", data, [.. run, .. On]);
        AssertSame(world);
    }

    /// <summary>Adafactor reads gradients back in the middle of its update, which is not captured.</summary>
    [Theory]
    [InlineData("sgd", "--lora-rank", "2")]
    [InlineData("adafactor")]
    [InlineData("adamw", "--state-dtype", "bfloat16", "--state-rounding", "stochastic", "--gradient-checkpointing")]
    public void Every_optimizer_gives_the_bits_of_a_run_without_graphs(string optimizer, params string[] more)
    {
        using var world = new TinyWorld();
        foreach (string name in (string[])["direct", "captured"])
        {
            Good(["finetune", world.Model, "--data", world.Data("attack.jsonl"), "--output", world[name], "--device", CudaName.Of(""), "--optim", optimizer,
                "--max-steps", "3", "--per-device-train-batch-size", "2", "--learning-rate", "1e-3", "--cuda-graphs", name == "captured" ? "on" : "off", .. more]);
        }

        AssertSame(world);
    }

    /// <summary>
    /// Once more in a process whose streams run at the latest moment that the driver's interface allows: a graph that were updated, or memory that
    /// were used again, before its work is done would show.
    /// </summary>
    [Fact]
    public async Task Late_streams_change_nothing()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable(Variable) is not null, "this is the process on late streams");
        Assert.SkipUnless(CudaName.Of("") == "cuda:sim", "a GPU is as late as it is");
        string method = $"*.{nameof(CudaGraphRunTests)}.{nameof(Texts_of_many_lengths_give_the_bits_of_a_run_without_graphs)}";
        string output = await ChildProcess.Run(["-method", method], (Variable, "1"), ("PTXSIM_LATE", "1"));
        Assert.Contains("Total: 1, Errors: 0, Failed: 0, Skipped: 0", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dump_looks_at_each_operation_so_nothing_is_captured()
    {
        using var world = new TinyWorld();
        var result = Defend(world, "out", world.Data("pairs.jsonl"), ["--max-steps", "2", "--dump-tensors", world["dump"], .. On]);
        Assert.Contains("cuda_graphs: steps run without graphs while tensors are dumped", result.Error, StringComparison.Ordinal);
        Assert.Contains("cuda_graphs: 0 launched", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Profile_says_that_recorded_steps_are_not_captured()
    {
        using var world = new TinyWorld();
        var result = Good("profile", world.Model, "--pairs", world.Data("pairs.jsonl"), "--device", CudaName.Of(""), "--steps", "1", "--skip-steps", "1",
            "--per-device-train-batch-size", "1", "--max-length", "24", "--cuda-graphs", "on");
        Assert.Contains("cuda_graphs: recorded steps run without graphs", result.Error, StringComparison.Ordinal);
    }

    /// <summary>The option changes no number, so a run may go on with or without it.</summary>
    [Fact]
    public void A_checkpoint_goes_on_with_graphs_as_it_would_without()
    {
        using var world = new TinyWorld();
        string[] run = ["--max-steps", "3", "--save-steps", "1"];
        Defend(world, "direct", world.Data("pairs.jsonl"), run);
        string config = world["graphs.yaml"];
        File.WriteAllText(config, "cuda_graphs: on\n");
        Directory.CreateDirectory(world["captured"]);
        Good(["defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world["captured"], "--device", CudaName.Of(""), "--config", config,
            "--resume-from-checkpoint", world["direct/checkpoint-2"], .. Few, .. run]);
        AssertSame(world);
        Assert.Contains("cuda_graphs: on", File.ReadAllText(world["captured/run.yaml"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cpu", "on", "it has no CUDA graphs", "Use device cuda, or leave CUDA graphs off")]
    [InlineData("cpu", "maybe", "--cuda-graphs", "off, on")]
    public void Where_there_are_no_graphs_asking_for_them_is_an_error(string device, string value, params string[] parts)
    {
        using var world = new TinyWorld();
        var result = TinyWorld.Run("defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world["out"], "--device", device, "--cuda-graphs", value);
        Assert.NotEqual(0, result.Code);
        foreach (string part in parts) Assert.Contains(part, result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(world["out"]));
    }

    private static string[] Few => ["--per-device-train-batch-size", "2", "--max-length", "24", "--learning-rate", "1e-3"];

    private static ProgramResult Defend(TinyWorld world, string output, string pairs, string[] more) =>
        Good(["defend", world.Model, "--pairs", pairs, "--output", world[output], "--device", CudaName.Of(""), .. Few, .. more]);

    private static ProgramResult Good(params string[] arguments)
    {
        var result = TinyWorld.Run(arguments);
        Assert.True(result.Code == 0, result.Error);
        return result;
    }

    private static void AssertSame(TinyWorld world) =>
        Assert.Equal(File.ReadAllBytes(world["direct/model.safetensors"]), File.ReadAllBytes(world["captured/model.safetensors"]));
}
