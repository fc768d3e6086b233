using RepNoise.Host.Checkpoints;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Training;

/// <summary>Training that recomputes layers gives the bits of training that keeps them, from less memory.</summary>
public sealed class RecomputationTests
{
    private const int Steps = 3;

    private static string Models => Goldens.Reference ?? Goldens.Folder;

    public static TheoryData<string, string, bool> Cases()
    {
        var data = new TheoryData<string, string, bool>();
        foreach (string model in Directory.EnumerateDirectories(Models).Where(f => File.Exists(Path.Combine(f, "config.json"))).Order())
        {
            data.Add(Path.GetFileName(model), "cpu", true);
            data.Add(Path.GetFileName(model), "cpu", false);
            data.Add(Path.GetFileName(model), "reference:bfloat16", true);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Weights_after_three_steps_have_the_same_bits(string model, string device, bool defends)
    {
        using var folder = ModelFolder.Open(Path.Combine(Models, model));
        var (kept, keptBytes) = Train(folder, device, defends, recomputes: false);
        var (recomputed, fewerBytes) = Train(folder, device, defends, recomputes: true);
        Assert.NotEmpty(kept);
        foreach (var (name, values) in kept)
        {
            Assert.Contains(values, v => v != 0);
            Assert.True(values.AsSpan().SequenceEqual(recomputed[name]), $"{name} differs");
        }

        Assert.True(fewerBytes < keptBytes, $"{fewerBytes} bytes of activations, {keptBytes} without recomputation");
    }

    [Fact]
    public void The_setting_reaches_a_run_and_its_results_do_not_change()
    {
        using var world = new TinyWorld();
        foreach (string name in (string[])["kept", "recomputed"])
        {
            string[] more = name == "kept" ? [] : ["--gradient-checkpointing"];
            var result = TinyWorld.Run(["defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--retain", world.Data("retain.jsonl"),
                "--output", world[name], "--max-steps", "3", "--per-device-train-batch-size", "4", "--learning-rate", "1e-3", .. more]);
            Assert.True(result.Code == 0, result.Error);
        }

        Assert.Equal(File.ReadAllBytes(world["kept/model.safetensors"]), File.ReadAllBytes(world["recomputed/model.safetensors"]));
        Assert.Contains("gradient_checkpointing: true", File.ReadAllText(world["recomputed/run.yaml"]), StringComparison.Ordinal);
    }

    private static (Dictionary<string, float[]> Weights, long ActivationBytes) Train(ModelFolder folder, string name, bool defends, bool recomputes)
    {
        using var device = Devices.Create(name);
        using var parameters = new ModelParameters(folder.Config, device, ParameterUse.Training);
        parameters.Load(folder.Read);
        TrainingArguments arguments = defends
            ? new RepNoiseArguments { MaxSteps = Steps, PerDeviceTrainBatchSize = 3, LearningRate = 1e-3, Beta = 1, RetainRows = 2, GradientCheckpointing = recomputes }
            : new FinetuneArguments { MaxSteps = Steps, PerDeviceTrainBatchSize = 3, LearningRate = 1e-3, GradientCheckpointing = recomputes };
        using ITrainingObjective objective = arguments is RepNoiseArguments defence
            ? new PairObjective(parameters, TinyTexts.Pairs(folder.Config, 5), TinyTexts.Examples(folder.Config, 4), 0, defence)
            : new SequenceObjective(parameters, TinyTexts.Examples(folder.Config, 7), (FinetuneArguments)arguments);
        using var trainer = new Trainer(parameters, objective, arguments);
        Assert.True(trainer.Run([], TestContext.Current.CancellationToken));
        return (parameters.Parameters.ToDictionary(p => p.Name, p => Read(parameters, p)), device.Memory[MemoryCategory.Activations]);
    }

    private static float[] Read(ModelParameters parameters, Parameter parameter)
    {
        var values = new float[parameter.Length];
        parameters.Read(parameter.Name, 0, values);
        return values;
    }
}
