using System.Globalization;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.Commands;
using RepNoise.Host.Configuration;
using RepNoise.Host.Dumps;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Training;

namespace RepNoise.Host.Tests.Cli;

public sealed class CommandLineTests
{
    [Fact]
    public void Defend_takes_every_spelling()
    {
        var run = FakeProgram.Defend(
            "--learning_rate", "1e-4", "--per-device-train-batch-size=4", "--alpha", "2", "--repnoise_beta", "0.5", "--retain-weight", "4",
            "--first-token", "kept", "--noise", "false", "--strict", "--max-steps", "-1", "--kernel", "matmul=avx2", "--kernel", "norm=naive");
        Assert.Equal(("m", "p", "o"), (run.Model, run.Pairs, run.OutputDir));
        Assert.Equal(
            new RepNoiseArguments
            {
                LearningRate = 1e-4,
                PerDeviceTrainBatchSize = 4,
                Alpha = 2,
                Beta = 0.5,
                RetainWeight = 4,
                FirstToken = FirstToken.Kept,
                Noise = false,
            },
            run.Arguments);
        Assert.True(run.Strict);
        Assert.Equal([new KernelChoice("matmul", "avx2"), new KernelChoice("norm", "naive")], run.Kernels);
    }

    [Fact]
    public void A_flag_does_not_swallow_the_model() =>
        Assert.Equal("m", FakeProgram.Read<DefendRun>("defend", "--strict", "m", "--pairs", "p", "--output", "o").Model);

    [Fact]
    public void Other_commands_read_their_options()
    {
        var finetune = FakeProgram.Read<FinetuneRun>(
            "finetune", "m", "--data", "d", "--output", "o", "--from-scratch", "c.json", "--completion_only_loss");
        Assert.Equal(("d", "c.json", true), (finetune.Data, finetune.FromScratch, finetune.Arguments.CompletionOnlyLoss));
        var generate = FakeProgram.Read<GenerateOptions>(
            "generate", "m", "--prompt", "@one", "--prompt", "-2", "--temperature", "0.5", "--top-k", "9", "--top-p", "0.9", "--seed", "7", "--device", "reference");
        Assert.Equal(["@one", "-2"], generate.Prompts);
        var sampling = generate.Answering.Sampling;
        Assert.Equal((0.5, 9, 0.9, 7UL, "reference"), (sampling.Temperature, sampling.TopK, sampling.TopP, sampling.Seed, generate.Device));
        Assert.Equal(["--x"], FakeProgram.Read<GenerateOptions>("generate", "m", "--prompt=--x").Prompts);
        Assert.Equal(new TokenizeOptions("m", false, true), FakeProgram.Read<TokenizeOptions>("tokenize", "m", "--no-special-tokens", "--decode"));
        Assert.Equal([new KernelChoice("matmul", "avx2")], FakeProgram.Read<GenerateOptions>("generate", "m", "--prompt", "p", "--kernel", "matmul=avx2").Kernels);
        var verify = FakeProgram.Read<VerifyOptions>("verify", "m", "--values", "v", "--threads", "3", "--gradient-checkpointing", "--kernel", "norm=block", "--kernel", "matmul=avx2");
        Assert.Equal(new VerifyOptions("m", "v", true) { Threads = 3, Kernels = verify.Kernels }, verify);
        Assert.Equal([new KernelChoice("norm", "block"), new KernelChoice("matmul", "avx2")], verify.Kernels);
        Assert.Equal(new ComparisonOptions("a", "b", 1e-3, 0, 5), FakeProgram.Read<ComparisonOptions>("compare", "a", "b", "--rtol", "1e-3", "--rows", "5"));
        var dump = FakeProgram.Read<GenerateOptions>("generate", "m", "--dump-tensors", "d", "--dump-steps", "2,4-5", "--dump-parts", "forward").Dump!;
        Assert.Equal(("d", "2,4-5"), (dump.Folder, dump.Steps.ToString()));
        Assert.Equal([DumpPart.Forward], dump.Parts);
        Assert.Equal(new InspectOptions("m"), FakeProgram.Read<InspectOptions>("inspect", "m"));
        Assert.Equal(
            new DemoOptions { Output = "o", Seed = 7, Seeds = 3, FromScratch = true, StepsScale = 0.1, Threads = 2 },
            FakeProgram.Read<DemoOptions>("demo", "--output", "o", "--seed", "7", "--seeds", "3", "--from-scratch", "--steps-scale", "0.1", "--threads", "2"));
        Assert.Equal(new DevicesOptions(false, null), FakeProgram.Read<DevicesOptions>("devices"));
        Assert.Equal(new DevicesOptions(true, null), FakeProgram.Read<DevicesOptions>("devices", "--kernels"));
        Assert.Equal(new DevicesOptions(false, "k"), FakeProgram.Read<DevicesOptions>("devices", "--dump-ptx", "k"));
    }

    [Fact]
    public void Bench_reads_operations_models_and_kernels()
    {
        var bench = FakeProgram.Read<BenchOptions>(
            "bench", "--ops", "matmul_nn, attention*", "--models", "b,a", "--kernel", "matmul=avx2", "--json", "f.jsonl", "--seconds", "0.5", "--threads", "1");
        Assert.Equal("matmul_nn", bench.Benchmarks[0].Name);
        Assert.All(bench.Benchmarks.Skip(1), benchmark => Assert.StartsWith("attention", benchmark.Name, StringComparison.Ordinal));
        Assert.Equal(["a", "b"], bench.Models.Select(model => model.Name));
        Assert.Equal((0.5, "f.jsonl", 1), (bench.Seconds, bench.Json, bench.Threads));
        Assert.Equal([new KernelChoice("matmul", "avx2")], bench.Kernels);
        Assert.Equal(KernelBenchmarks.All, FakeProgram.Read<BenchOptions>("bench").Benchmarks);

        var kernel = FakeProgram.Read<BenchKernelOptions>(
            "bench", "kernel", "--op", "attention_forward", "--shape", "2,8,4,2,8", "--variant", "vector256", "--repeats", "7", "--no-check");
        Assert.Equal([2, 8, 4, 2, 8, 0], kernel.Shape);
        Assert.Equal(("attention_forward", "vector256", 7, false, "cpu"), (kernel.Benchmark.Name, kernel.Variant, kernel.Repeats, kernel.Check, kernel.Device));
    }

    [Theory]
    [InlineData("--lerning-rate: unknown option; expected a known option, the nearest is --learning-rate", "defend", "m", "--lerning-rate", "1")]
    [InlineData("--lerning_rate: unknown option; expected a known option, the nearest is --learning-rate", "defend", "--lerning_rate=1")]
    [InlineData("--fp16: unknown option; expected nothing in its place: weights train in float32", "defend", "m", "--fp16")]
    [InlineData("--data: unknown option; expected a setting of this command; data belongs to finetune", "defend", "m", "--data", "d")]
    [InlineData("--promt: unknown option; expected a known option, the nearest is --prompt", "generate", "m", "--promt", "x")]
    [InlineData("defnd: unknown command; expected one of defend, finetune", "defnd")]
    [InlineData("the nearest is defend", "defnd")]
    [InlineData("--learning-rate: found \"fast\"; expected a number above 0", "defend", "m", "--learning-rate", "fast")]
    [InlineData("--seed: given more than once; expected one value", "defend", "m", "--seed", "1", "--seed", "1")]
    [InlineData("--noise: found \"maybe\"; expected true or false", "defend", "m", "--noise=maybe")]
    [InlineData("--top-k: has no effect at temperature 0", "generate", "m", "--top-k", "4")]
    [InlineData("--max-new-tokens: found \"0\"; expected an integer, 1 or more", "generate", "m", "--max-new-tokens", "0")]
    [InlineData("--dump-steps: found \"5-3\"; expected steps from 1", "generate", "m", "--dump-steps", "5-3")]
    [InlineData("--dump-steps: has no effect alone", "generate", "m", "--dump-steps", "3")]
    [InlineData("--dump-parts: found \"logit\"; expected one of data, forward", "defend", "m", "--dump-parts", "logit")]
    [InlineData("B: found an empty text", "compare", "a", "")]
    [InlineData("MODEL: found an empty text", "inspect", "")]
    [InlineData("kernl: unknown command; expected one of kernel, the nearest is kernel. See repnoise bench --help.", "bench", "kernl")]
    [InlineData("--ops: there is no operation \"matmull\"", "bench", "--ops", "matmull")]
    [InlineData("--ops: no operation begins with \"conv\"", "bench", "--ops", "conv*")]
    [InlineData("--models: there is no model \"c\"; expected one of a, b, large", "bench", "--models", "a,c")]
    [InlineData("--op: not given; expected the operation to time", "bench", "kernel", "--shape", "8,8,8")]
    [InlineData("the nearest is matmul", "bench", "kernel", "--op", "matmull")]
    [InlineData("--shape: no shape is given, for matmul; expected 3: m,n,k (m rows", "bench", "kernel", "--op", "matmul")]
    [InlineData("--shape: found 2 dimensions, \"8,8\", for matmul", "bench", "kernel", "--op", "matmul", "--shape", "8,8")]
    [InlineData("--shape: found 2 dimensions, \"8,8\", for attention_decode; expected 5 to 6", "bench", "kernel", "--op", "attention_decode", "--shape", "8,8")]
    [InlineData("--shape: k of matmul is \"0\"; expected an integer, 1 or more", "bench", "kernel", "--op", "matmul", "--shape", "8,8,0")]
    [InlineData("--repeats: given together with --seconds", "bench", "kernel", "--op", "clip_factor", "--repeats", "3", "--seconds", "1")]
    [InlineData("the nearest is --repeats. Correct the name; see repnoise bench kernel --help", "bench", "kernel", "--repeat", "3")]
    [InlineData("See repnoise inspect --help.", "inspect")]
    [InlineData("See repnoise inspect --help.", "inspect", "a", "b")]
    [InlineData("--pairs", "defend", "m", "--pairs")]
    public void A_wrong_line_says_what_to_do_and_exits_2(string message, params string[] line)
    {
        var program = new FakeProgram();
        Assert.Equal(ExitCodes.Usage, program.Run(line));
        Assert.Contains(message, program.Error, StringComparison.Ordinal);
        Assert.Null(program.Received);
        Assert.Empty(program.Out);
    }

    [Fact]
    public void Nothing_at_all_shows_help_as_an_error()
    {
        var program = new FakeProgram();
        Assert.Equal(ExitCodes.Usage, program.Run());
        Assert.Contains("Usage: repnoise COMMAND", program.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_prints_the_configuration_and_runs_nothing()
    {
        using var folder = new TempFolder();
        var pairs = folder.Write("pairs.jsonl", "");
        var output = Path.Combine(folder.Path, "out");
        var program = new FakeProgram();
        Assert.Equal(0, program.Run("defend", folder.Path, "--pairs", pairs, "--output", output, "--check", "--learning-rate", "1e-4"));
        Assert.Null(program.Received);
        Assert.Contains("learning_rate: 0.0001\n", program.Out, StringComparison.Ordinal);
        var again = new FakeProgram();
        Assert.Equal(0, again.Run("defend", "--config", folder.Write("run.yaml", program.Out), "--dry-run"));
        Assert.Equal(program.Out, again.Out);
        var wrong = new FakeProgram();
        Assert.Equal(1, wrong.Run("defend", folder.Path, "--pairs", pairs, "--output", folder.Path, "--check"));
        Assert.Contains("is not empty", wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_comma_locale_changes_nothing_once_the_program_has_started()
    {
        // Program sets the invariant culture; the readers must not depend on it either.
        var before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo("de-DE");
            var run = FakeProgram.Defend("--alpha", "0.5", "--learning-rate", "2e-5");
            Assert.Equal((0.5, 2e-5), (run.Arguments.Alpha, run.Arguments.LearningRate));
            Assert.Contains("repnoise_alpha: 0.5\n", RunWriter.ToYaml(run), StringComparison.Ordinal);
            Assert.Contains("learning_rate: 2.0e-05\n", RunWriter.ToYaml(run), StringComparison.Ordinal);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void A_command_that_was_stopped_exits_130()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Equal(ExitCodes.Interrupted, new FakeProgram { Stop = source.Token }.Run("devices"));
    }

    [Fact]
    public void Version_names_commit_build_and_machine()
    {
        var program = new FakeProgram();
        Assert.Equal(0, program.Run("--version"));
        Assert.Matches(@"^repnoise \d+\.\d+\.\d+( \(commit [0-9a-f]{10}\))?, (Debug|Release) build, \.NET \d+\.\d+\.\S+, \w+-\w+\n$", program.Out);
    }

    [Fact]
    public void Version_names_the_commit() =>
        Assert.Equal("1.2.3 (commit 0123456789)", VersionAction.Text("1.2.3+0123456789abcdef"));
}
