using RepNoise.Host.Checkpoints;
using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Tokenizers;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Training;

/// <summary>A gradient that is not finite stops the run at its step and changes no weight.</summary>
public sealed class NonFiniteGradientTests
{
    private const string Poisoned = "model.layers.1.mlp.down_proj.weight";

    [Theory]
    [InlineData(float.NaN, 1)]
    [InlineData(float.PositiveInfinity, 4)]
    public void Injected_at_a_step_it_is_named_and_the_weights_before_it_stay(float value, int step)
    {
        using var world = new TinyWorld();
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        float[] before = Train(world, device, float.NaN, int.MaxValue, step - 1, out _);
        float[] after = Train(world, device, value, step, 9, out var error);
        Assert.NotNull(error);
        Assert.Equal((step, "grad_norm"), (error.Step, error.Term));
        Assert.Contains($"step {step}: grad_norm is ", error.Message, StringComparison.Ordinal);
        Assert.Contains("the weights before this step are kept", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(before, after);
    }

    private static float[] Train(TinyWorld world, Device device, float value, int at, int steps, out NonFiniteException? error)
    {
        using var source = new FolderSource(ModelFolder.Open(world.Model));
        using var parameters = new ModelParameters(source.Config, device, ParameterUse.Training);
        source.Load(parameters);
        var arguments = new FinetuneArguments { MaxSteps = 9, PerDeviceTrainBatchSize = 2, LearningRate = 1e-2 };
        var tokenizer = Tokenizer.Load(world.Model);
        var texts = ExampleReader.Read(world.Data("retain.jsonl")).Examples.Take(20).ToList();
        var examples = ExampleTokenizer.Tokenize(texts, text => tokenizer.Encode(text), new TokenizeOptions { MaxLength = 32 }).Examples;
        using var objective = new PoisonedObjective(new SequenceObjective(parameters, examples, arguments), parameters, value, at);
        using var trainer = new Trainer(parameters, objective, arguments);
        error = null;
        try
        {
            while (trainer.StepsDone < steps) trainer.RunStep([]);
        }
        catch (NonFiniteException caught)
        {
            error = caught;
        }

        Assert.Equal(error is null ? steps : at - 1, trainer.StepsDone);
        var weights = new float[parameters[Poisoned].Length];
        parameters.Read(Poisoned, 0, weights);
        return weights;
    }

    /// <summary>Puts a value into one element of a gradient at a step.</summary>
    private sealed class PoisonedObjective(ITrainingObjective inner, ModelParameters parameters, float value, int at) : ITrainingObjective
    {
        public int ExampleCount => inner.ExampleCount;

        public LossScalars Scalars => inner.Scalars;

        public void QueueMicroBatch(ReadOnlySpan<int> examples, int step, long microBatch, int row)
        {
            inner.QueueMicroBatch(examples, step, microBatch, row);
            if (step == at - 1) parameters.Device.Upload([value], parameters[Poisoned].Gradient.RowRange(5, 1).ColumnRange(3, 1));
        }

        public void Read(int row, LossReport report) => inner.Read(row, report);

        public string PlaceOf(int example) => inner.PlaceOf(example);

        public void Dispose() => inner.Dispose();
    }
}
