using RepNoise.Host.Checkpoints;
using RepNoise.Host.Commands;
using RepNoise.Host.Commands.Handlers;
using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Resuming;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Tokenizers;
using RepNoise.Host.Training;
using RepNoise.Kernels;
using RepNoise.Reliability;

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
        Assert.Equal((step, "grad_norm", Poisoned), (error.Step, error.Term, error.Parameter));
        Assert.Contains($"step {step}: grad_norm is ", error.Message, StringComparison.Ordinal);
        Assert.Contains("the weights before this step are kept", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(before, after);
    }

    [Theory]
    [InlineData(5, 4)]
    [InlineData(1, 0)]
    public void It_ends_the_command_which_goes_on_from_its_checkpoint_as_if_nothing_had_been(int step, int saved)
    {
        using var world = new TinyWorld();
        string[] line =
        [
            "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--per-device-train-batch-size", "2", "--threads", "1", "--max-steps", "6",
            "--save-steps", "2",
        ];
        Assert.Equal(0, TinyWorld.Run([.. line, "--output", world["whole"]]).Code);
        line = [.. line, "--output", world["out"]];
        for (int time = 0; time < 2; time++)
        {
            // The second time it goes on from the checkpoint, where there is one, and meets the same.
            var result = RunPoisoned(step, [.. line, "--resume-from-checkpoint", "true", .. time > 0 && saved == 0 ? (string[])["--overwrite-output-dir"] : []]);
            Assert.Equal(1, result.Code);
            Assert.Matches(
                $@"step {step}: grad_norm is NaN, first in the gradient of model\.layers\.0\.post_attention_layernorm\.weight, in the batch of .*pairs\.jsonl:\d+, .*pairs\.jsonl:\d+; expected finite values", result.Error);
            Assert.Equal(step - 1, RunFiles.Steps(world["out"]));
            Assert.Equal(saved, CheckpointFolders.List(world["out"]) is [var (last, path), ..] && CheckpointManifest.Problem(path, last) is null ? last : 0);
            Assert.Equal(step > 1, File.Exists(world["out/last-good/model.safetensors"]));
            Assert.False(File.Exists(world["out/model.safetensors"]));
        }

        var rest = TinyWorld.Run([.. line, "--resume-from-checkpoint", "true", .. saved == 0 ? (string[])["--overwrite-output-dir"] : []]);
        Assert.True(rest.Code == 0, rest.Error);
        Assert.Null(RunFiles.Difference(world["whole"], world["out"]));
    }

    /// <summary>The program, whose <c>defend</c> trains on a device that is watched by <see cref="Poison"/>.</summary>
    private static ProgramResult RunPoisoned(int step, string[] arguments)
    {
        var terminal = new Terminal(new StringReader(""), new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var handlers = Handling.All with
        {
            Defend = (run, told, stop) =>
            {
                using var session = new TrainingSession(run, told);
                session.Device.Observer = new Poison(session.Device, step);
                return session.Train(stop);
            },
        };
        int code = CommandLine.Run(arguments, handlers, terminal, CancellationToken.None);
        return new ProgramResult(code, terminal.Out.ToString()!, terminal.Error.ToString()!);
    }

    private static float[] Train(TinyWorld world, Device device, float value, int at, int steps, out NonFiniteException? error)
    {
        using var source = new FolderSource(ModelFolder.Open(world.Model));
        using var parameters = new ModelParameters(source.Config, device, ParameterUse.Training);
        source.Load(parameters);
        var arguments = new FinetuneArguments { MaxSteps = 9, PerDeviceTrainBatchSize = 2, LearningRate = 1e-2 };
        var tokenizer = Tokenizer.Load(world.Model);
        var texts = ExampleReader.Read(world.Data("retain.jsonl")).Examples.Take(20).ToList();
        var examples = ExampleTokenizer.Tokenize(texts, text => tokenizer.Encode(text), new Host.Data.TokenizeOptions { MaxLength = 32 }).Examples;
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

    /// <summary>Puts a NaN into the gradient that leaves the upper layer, in the first backward pass of a step.</summary>
    private sealed class Poison(Device device, int step) : IOperationObserver
    {
        private int now;
        private bool done;

        public bool WantsTensors => now == step && !done;

        public void BeginOperation(string operation, OpCost cost)
        {
        }

        public void BeginScope(string name, int index) => now = name == Phase.Step ? index : now;

        public void End()
        {
        }

        public void OnTensor(string name, Tensor tensor)
        {
            if (name != "d_hidden") return;
            device.Upload([float.NaN], tensor.RowRange(2, 1).ColumnRange(3, 1));
            done = true;
        }
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
