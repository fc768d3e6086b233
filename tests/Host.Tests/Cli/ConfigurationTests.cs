using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Training;

namespace RepNoise.Host.Tests.Cli;

public sealed class ConfigurationTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Yaml_sets_and_options_win()
    {
        var path = folder.Write("run.yaml", """
            # a comment
            model: llama
            pairs: pairs.jsonl
            output_dir: out
            learning_rate: 2e-5
            adam_beta2: .99
            max_steps: -1
            repnoise_noise_layers: 0-5
            repnoise_first_token: kept
            repnoise_lens: false
            kernel: [matmul=scalar, attention=naive]
            data_seed:
            lr_scheduler_type: "constant_with_warmup"
            """);
        var run = FakeProgram.Read<DefendRun>("defend", "--config", path, "--learning-rate", "3E-4", "--retain", "r.jsonl");
        Assert.Equal("llama", run.Model);
        Assert.Equal("r.jsonl", run.Retain);
        Assert.Equal(3e-4, run.Arguments.LearningRate);
        Assert.Equal(0.99, run.Arguments.AdamBeta2);
        Assert.Equal(-1, run.Arguments.MaxSteps);
        Assert.Equal((0, 5), run.Arguments.NoiseLayers);
        Assert.Equal(FirstToken.Kept, run.Arguments.FirstToken);
        Assert.False(run.Arguments.Lens);
        Assert.True(run.Arguments.Mask);
        Assert.Null(run.Arguments.DataSeed);
        Assert.Equal(SchedulerType.ConstantWithWarmup, run.Arguments.LrSchedulerType);
        Assert.Equal([new KernelChoice("matmul", "scalar"), new KernelChoice("attention", "naive")], run.Kernels);
    }

    [Fact]
    public void Transformers_names_for_adamw_are_accepted()
    {
        var run = FakeProgram.Defend("--config", folder.Write("run.yaml", "optim: adamw_torch"));
        Assert.Equal(OptimizerType.AdamW, run.Arguments.Optim);
        Assert.Contains("optim: adamw\n", RunWriter.ToYaml(run), StringComparison.Ordinal);
    }

    [Fact]
    public void Defaults_are_those_of_the_arguments() => Assert.Equal(new RepNoiseArguments(), FakeProgram.Defend().Arguments);

    [Theory]
    [InlineData("lerning_rate: 1e-4", ":1: unknown key lerning_rate", "nearest is learning_rate")]
    [InlineData("alpha: 1", ":1: unknown key alpha", "nearest is repnoise_alpha")]
    [InlineData("max_seq_length: 9", ":1: unknown key max_seq_length", "nearest is max_length")]
    [InlineData("seed: 1\nbf16: true", ":2: unknown key bf16", "device cuda computes in bfloat16, save_dtype chooses")]
    [InlineData("save_strategy: epoch", ":1: unknown key save_strategy", "save_steps says when")]
    [InlineData("save_total_limit: 0", ":1: save_total_limit is \"0\"", "expected an integer, 1 or more, or \"all\"")]
    [InlineData("data: x", ":1: unknown key data", "belongs to finetune")]
    [InlineData("zzzzzzzzzzzzzzz: 1", ":1: unknown key zzzzzzzzzzzzzzz", "See --help")]
    [InlineData("\n\nlearning_rate: fast", ":3: learning_rate is \"fast\"", "expected a number above 0")]
    [InlineData("learning_rate: 1,5", ":1: learning_rate is \"1,5\"", "expected a number above 0")]
    [InlineData("learning_rate: .nan", ":1: learning_rate is \".nan\"", "expected a number above 0")]
    [InlineData("learning_rate: 1e999", ":1: learning_rate is \"1e999\"", "expected a number above 0")]
    [InlineData("learning_rate:", ":1: learning_rate is empty", "expected a number above 0")]
    [InlineData("learning_rate: [1]", ":1: learning_rate is a list", "expected a number above 0")]
    [InlineData("learning_rate: {a: 1}", ":1: found learning_rate with nested keys", "Settings are flat")]
    [InlineData("adam_beta1: 1", ":1: adam_beta1 is \"1\"", "up to, but not, 1")]
    [InlineData("max_steps: 0", ":1: max_steps is \"0\"", "-1 for num_train_epochs")]
    [InlineData("seed: -1", ":1: seed is \"-1\"", "from 0 to")]
    [InlineData("repnoise_noise: yes", ":1: repnoise_noise is \"yes\"", "expected true or false")]
    [InlineData("repnoise_noise_layers: 5-2", ":1: repnoise_noise_layers is \"5-2\"", "such as 0-5")]
    [InlineData("optim: lion", ":1: optim is \"lion\"", "one of adamw, adam")]
    [InlineData("kernel: [matmul]", ":1: kernel is \"matmul\"", "operation=variant")]
    [InlineData("seed: 1\nseed: 2", ":2: seed is given twice, first on line 1", "each key once")]
    [InlineData("seed: &a 1", ":1: found an anchor (&a)", "without anchors")]
    [InlineData("seed: *a", ":1: found an alias", "written out")]
    [InlineData("seed: !!python/object:os.system 1", ":1: found a tag", "without tags")]
    [InlineData("seed: 1\n---\nseed: 2", ":2: found a second document", "one document")]
    [InlineData("- a\n- b", ":1: found no keys", "key: value")]
    [InlineData("just text", ":1: found no keys", "key: value")]
    [InlineData("a: [1", "not valid YAML", "key: value")]
    [InlineData("seed: \"1", "not valid YAML", "key: value")]
    [InlineData("kernel: [[[[1]]]]", ":1: found a nested value in kernel", "flat list")]
    public void A_wrong_file_is_told_its_line_and_the_remedy(string text, string problem, string advice)
    {
        var path = folder.Write("run.yaml", text);
        var program = new FakeProgram();
        Assert.Equal(1, program.Run("defend", "--config", path));
        Assert.Contains(path, program.Error, StringComparison.Ordinal);
        Assert.Contains(problem, program.Error, StringComparison.Ordinal);
        Assert.Contains(advice, program.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_deep_or_huge_or_absent_or_binary_file_is_refused()
    {
        Assert.Contains("nested", Refusal(folder.Write("deep.yaml", "kernel: " + new string('[', 50_000))), StringComparison.Ordinal);
        Assert.Contains("at most", Refusal(folder.Write("huge.yaml", new string('#', (1 << 16) + 1))), StringComparison.Ordinal);
        Assert.Contains("cannot be read", Refusal(Path.Combine(folder.Path, "none.yaml")), StringComparison.Ordinal);
        Assert.Contains("cannot be read", Refusal(folder.Path), StringComparison.Ordinal);
        var binary = Path.Combine(folder.Path, "binary.yaml");
        File.WriteAllBytes(binary, [0xff, 0xfe, 0x00, 0xc3]);
        Assert.Contains("not UTF-8", Refusal(binary), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_file_sets_nothing()
    {
        var path = folder.Write("run.yaml", "# nothing\n");
        Assert.Equal(FakeProgram.Defend(), FakeProgram.Defend("--config", path));
    }

    [Fact]
    public void What_a_run_needs_and_lacks_is_named()
    {
        var program = new FakeProgram();
        Assert.Equal(2, program.Run("defend", "m", "--output", "o"));
        Assert.Equal("repnoise: pairs: not given; expected a path. Give --pairs PATH, or write pairs: in the configuration.\n", program.Error);
    }

    [Fact]
    public void The_written_configuration_reads_back_to_the_same_run()
    {
        var random = new Random(20240527);
        string[] texts = ["null", "~", "true", "1e5", "a: b", "# no comment", " spaced ", "\"quoted\" 'twice'", "é 漢 😀", "line\nbreak\ttab\r", "{prompt}\\n", "&a *b !c |"];
        for (var i = 0; i < 300; i++)
        {
            var (flag, text, layer) = (random.Next(2) == 0, texts[i % texts.Length], random.Next(10));
            var run = new DefendRun
            {
                Model = text,
                Pairs = "pairs",
                OutputDir = text + text,
                Template = text,
                Strict = flag,
                SaveDtype = SaveDtype.BFloat16,
                PairFormat = PairLayout.DecodingTrust,
                Kernels = flag ? [new KernelChoice("matmul", "avx2"), new KernelChoice("a", "b")] : [],
                Arguments = new RepNoiseArguments
                {
                    LearningRate = Math.Exp(random.NextDouble() * 60 - 30),
                    Seed = (ulong)random.NextInt64() * 2 + 1,
                    DataSeed = flag ? (ulong)random.NextInt64() : null,
                    NoiseLayers = flag ? (layer, layer + 3) : null,
                    FirstToken = flag ? FirstToken.Kept : FirstToken.Published,
                    Mask = flag,
                    Threads = layer,
                },
            };
            var read = RunConfiguration.Read(new DefendRun(), folder.Write("round.yaml", RunWriter.ToYaml(run)), []);
            Assert.Equal(run.Kernels, read.Kernels);
            Assert.Equal(run, read with { Kernels = run.Kernels });
        }
    }

    [Fact]
    public void Any_text_is_read_or_refused_with_the_files_name()
    {
        const string Alphabet = "ab:-[]{}&*!|>'\"%@`#,?\n\t 01";
        var random = new Random(20240527);
        for (var i = 0; i < 5_000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => Alphabet[random.Next(Alphabet.Length)]));
            var path = folder.Write("fuzz.yaml", text);
            var error = Record.Exception(() => RunConfiguration.Read(new DefendRun { Model = "m", Pairs = "p", OutputDir = "o" }, path, []));
            Assert.True(error is null or ConfigurationException, $"{text}\n{error}");
        }
    }

    [Fact]
    public void Every_setting_has_its_own_names_and_a_default_that_reads_back()
    {
        foreach (var type in new[] { typeof(DefendRun), typeof(FinetuneRun) })
        {
            var settings = Settings.Of(type).ToList();
            var names = settings.SelectMany(setting => setting.Aliases.Append(setting.OptionName[2..])).ToList();
            Assert.Equal(names.Count, names.Distinct().Count());
            TrainingRun run = type == typeof(DefendRun) ? new DefendRun() : new FinetuneRun();
            foreach (var setting in settings)
            {
                Assert.Null(UnsupportedSettings.Reason(setting.Name));
                Assert.True(setting.Default is null || setting.TrySet(run, [setting.Default], out _, out _), setting.Name);
                Assert.Equal(setting.Default is null ? [] : [setting.Default], setting.Get(run));
            }
        }
    }

    [Theory]
    [InlineData("lerning_rate", "learning_rate")]
    [InlineData("--Learning-Rate", "learning_rate")]
    [InlineData("sede", "seed")]
    [InlineData("completely_different", null)]
    public void The_nearest_name_is_found(string name, string? expected) =>
        Assert.Equal(expected, NearestName.Of(name, ["learning_rate", "seed", "strict"]));

    private static string Refusal(string path) =>
        Assert.Throws<ConfigurationException>(() => RunConfiguration.Read(new DefendRun(), path, [])).Message;
}
