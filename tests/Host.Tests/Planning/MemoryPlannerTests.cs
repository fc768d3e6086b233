using RepNoise.Host.Checkpoints;
using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Planning;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Planning;

/// <summary>A plan against what the device of the real run handed out, category by category, to the byte.</summary>
public sealed class MemoryPlannerTests
{
    private const int Texts = 5;

    public static TheoryData<string, bool, bool> Runs()
    {
        var data = new TheoryData<string, bool, bool>();
        foreach (string device in (string[])["cpu", "reference:float64", "reference:bfloat16"])
        {
            foreach (bool recomputes in (bool[])[false, true])
            {
                data.Add(device, recomputes, false);
                data.Add(device, recomputes, true);
            }
        }

        return data;
    }

    public static TheoryData<string> Variations => new("no ascent", "no noise", "no lens", "no mask", "noise in one layer", "kept first token", "retain");

    [Theory]
    [MemberData(nameof(Runs))]
    public void A_defence_takes_what_was_planned(string device, bool recomputes, bool tied) =>
        Compare(device, tied, new RepNoiseArguments { PerDeviceTrainBatchSize = Texts, MaxSteps = 2, GradientCheckpointing = recomputes });

    [Theory]
    [MemberData(nameof(Runs))]
    public void Fine_tuning_takes_what_was_planned(string device, bool recomputes, bool tied) =>
        Compare(device, tied, new FinetuneArguments { PerDeviceTrainBatchSize = Texts, MaxSteps = 2, GradientCheckpointing = recomputes });

    [Theory]
    [InlineData("cuda:sim")]
    [InlineData("cuda:sim:float32")]
    [InlineData("ilgpu:cuda-sim")]
    public void A_defence_on_a_gpu_takes_what_was_planned(string device)
    {
        if (Devices.List().First(info => info.Name == device).Refusal is { } refusal) Assert.Skip(refusal);
        Compare(device, tied: true, new RepNoiseArguments { PerDeviceTrainBatchSize = 2, MaxSteps = 1 }, texts: 2);
    }

    [Theory]
    [MemberData(nameof(Variations))]
    public void Every_setting_that_changes_memory_is_planned(string variation)
    {
        var arguments = new RepNoiseArguments { PerDeviceTrainBatchSize = Texts, MaxSteps = 2, MaxLength = 24 };
        Compare("cpu", tied: false, variation switch
        {
            "no ascent" => arguments with { Ascent = false },
            "no noise" => arguments with { Noise = false },
            "no lens" => arguments with { Lens = false },
            "no mask" => arguments with { Mask = false },
            "noise in one layer" => arguments with { NoiseLayers = (1, 1) },
            "kept first token" => arguments with { FirstToken = FirstToken.Kept },
            _ => arguments with { RetainRows = 4 },
        });
    }

    [Fact]
    public void Batches_of_some_of_the_data_stay_below_the_plan_and_near_it()
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 2 });
        var config = Config(tied: false);
        var arguments = new RepNoiseArguments { PerDeviceTrainBatchSize = 3, MaxSteps = 6, LearningRate = 1e-4 };
        var pairs = TinyTexts.Pairs(config, 17);
        var plan = new MemoryPlanner(config, device, new PlannedPairs(pairs, [], 0, 0)).Plan(arguments);
        var (peak, _) = Run(device, config, arguments, parameters => new PairObjective(parameters, pairs, [], 0, arguments));
        Assert.InRange(plan.Peak, peak, (long)(1.1 * peak));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Assumed_texts_are_the_most_that_a_length_lets_through(bool defends)
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        var config = Config(tied: false);
        TrainingArguments arguments = defends
            ? new RepNoiseArguments { PerDeviceTrainBatchSize = 4, MaxLength = 9 }
            : new FinetuneArguments { PerDeviceTrainBatchSize = 4, MaxLength = 9 };
        PlannedTexts assumed = defends ? new PlannedPairs(null, null, 0, 0) : new PlannedSequences(null);
        PlannedTexts given = defends ? new PlannedPairs(TinyTexts.Pairs(config, 30), [], 0, 0) : new PlannedSequences(TinyTexts.Examples(config, 30));
        MemoryPlan most = new MemoryPlanner(config, device, assumed).Plan(arguments), real = new MemoryPlanner(config, device, given).Plan(arguments);
        foreach (string category in MemoryCategory.All) Assert.True(real.Of(category) <= most.Of(category), category);
        Assert.True(real.Peak < most.Peak);
    }

    [Fact]
    public void The_largest_batch_fits_and_one_more_does_not()
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        var config = Config(tied: true);
        var arguments = new RepNoiseArguments { MaxLength = 16 };
        var planner = new MemoryPlanner(config, device, new PlannedPairs(null, null, 4, 0));
        foreach (int batch in (int[])[1, 2, 7, 32, 41])
        {
            long peak = planner.Plan(arguments with { PerDeviceTrainBatchSize = batch }).Peak;
            Assert.Equal(batch, planner.LargestBatch(arguments, peak));
            Assert.True(planner.LargestBatch(arguments, peak - 1) < batch);
        }

        var given = new MemoryPlanner(config, device, new PlannedPairs(TinyTexts.Pairs(config, 6), [], 0, 0));
        Assert.Equal(6, given.LargestBatch(arguments, 1L << 40));
        Assert.Equal(0, given.LargestBatch(arguments, 1000));
    }

    private static void Compare(string name, bool tied, TrainingArguments arguments, int texts = Texts)
    {
        using var device = Devices.Create(name, name == "cpu" ? new DeviceOptions { Threads = 2 } : null);
        long own = device.AllocatedBytes;
        var config = Config(tied);
        PlannedTexts planned;
        Func<ModelParameters, ITrainingObjective> makeObjective;
        if (arguments is RepNoiseArguments defence)
        {
            var (pairs, retain) = (TinyTexts.Pairs(config, texts), defence.RetainRows > 0 ? TinyTexts.Examples(config, defence.RetainRows) : []);
            planned = new PlannedPairs(pairs, retain, 0, 0);
            makeObjective = parameters => new PairObjective(parameters, pairs, retain, 0, defence);
        }
        else
        {
            var examples = TinyTexts.Examples(config, texts);
            planned = new PlannedSequences(examples);
            makeObjective = parameters => new SequenceObjective(parameters, examples, (FinetuneArguments)arguments);
        }

        var plan = new MemoryPlanner(config, device, planned).Plan(arguments);
        Assert.Equal(own, device.AllocatedBytes);
        var (peak, bytes) = Run(device, config, arguments, makeObjective);
        foreach (string category in MemoryCategory.All.Concat(bytes.Keys))
            Assert.True(plan.Of(category) == bytes.GetValueOrDefault(category), $"{category}: planned {plan.Of(category)}, taken {bytes.GetValueOrDefault(category)}");
        Assert.Equal(plan.Peak, peak);
        Assert.Equal(plan.Peak, plan.Bytes.Values.Sum());
    }

    private static (long Peak, IReadOnlyDictionary<string, long> Bytes) Run(
        Device device, ModelConfig config, TrainingArguments arguments, Func<ModelParameters, ITrainingObjective> makeObjective)
    {
        using var parameters = new ModelParameters(config, device, ParameterUse.Training);
        RandomInitialization.Fill(parameters, 3);
        using var objective = makeObjective(parameters);
        using var trainer = new Trainer(parameters, objective, arguments);
        Assert.True(trainer.Run([], TestContext.Current.CancellationToken));
        return (device.PeakAllocatedBytes, device.Memory.AtPeak);
    }

    private static ModelConfig Config(bool tied) =>
        ModelConfigReader.Read(Path.Combine(Goldens.Folder, "qwen2", "config.json")) with { TieWordEmbeddings = tied };
}
