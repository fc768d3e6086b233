using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Training;

/// <summary>Weights, steps and named state are all that an optimizer needs to go on to the bit.</summary>
public sealed class OptimizerStateTests
{
    public static TheoryData<OptimizerType> Optimizers => [.. Enum.GetValues<OptimizerType>()];

    [Theory]
    [MemberData(nameof(Optimizers))]
    public void A_run_goes_on_from_its_saved_state(OptimizerType optim)
    {
        using var whole = new Run(optim);
        whole.Steps(4);

        using var first = new Run(optim);
        first.Steps(2);
        using var second = new Run(optim);
        second.Continue(first);
        second.Steps(2);

        Assert.Equal(whole.Weights(), second.Weights());
        Assert.Equal(whole.State(), second.State());
    }

    [Theory]
    [MemberData(nameof(Optimizers))]
    public void Names_are_unique_and_begin_with_a_parameter(OptimizerType optim)
    {
        using var run = new Run(optim);
        string[] names = [.. run.Optimizer.State.Select(tensor => tensor.Name)];
        Assert.Equal(names.Length, names.Distinct().Count());
        Assert.All(names, name => Assert.Contains(run.Parameters.Parameters, parameter => name.StartsWith(parameter.Name + ".", StringComparison.Ordinal)));
    }

    /// <summary>Fine-tuning of the tiny world's model without a loop around it.</summary>
    private sealed class Run : IDisposable
    {
        private readonly TinyWorld world = new();
        private readonly Device device = Devices.Create("cpu", new DeviceOptions { Threads = 2 });
        private readonly SequenceObjective objective;
        private readonly LossReport report;

        public Run(OptimizerType optim)
        {
            using var source = new ScratchSource(world.ConfigPath, world.Model, seed: 3);
            Parameters = new ModelParameters(source.Config, device, ParameterUse.Training);
            source.Load(Parameters);
            var arguments = new FinetuneArguments { Optim = optim, PerDeviceTrainBatchSize = 2, WeightDecay = 0.1, Momentum = 0.9 };
            objective = new SequenceObjective(Parameters, TinyTexts.Examples(source.Config, 8), arguments);
            report = new LossReport(source.Config.NumHiddenLayers);
            Optimizer = Optimizer.Create(Parameters, arguments);
        }

        public ModelParameters Parameters { get; }

        public Optimizer Optimizer { get; }

        public void Steps(int count)
        {
            for (int i = 0; i < count; i++)
            {
                int step = Optimizer.Steps;
                Parameters.ZeroGradients();
                objective.RunMicroBatch([2 * step, 2 * step + 1], step, step, report);
                Optimizer.GradientNorm(1);
                Optimizer.Apply(1e-2 / (1 + step));
            }
        }

        public void Continue(Run other)
        {
            foreach (var (to, from) in Parameters.Parameters.Zip(other.Parameters.Parameters)) Transfer(from.Master, to.Master);
            Parameters.RefreshValues();
            foreach (var (to, from) in Optimizer.State.Zip(other.Optimizer.State)) Transfer(from.Value, to.Value);
            Optimizer.ContinueFrom(other.Optimizer.Steps);
        }

        public float[] Weights() => [.. Parameters.Parameters.SelectMany(parameter => Values(parameter.Master))];

        public float[] State() => [.. Optimizer.State.SelectMany(tensor => Values(tensor.Value))];

        public void Dispose()
        {
            Optimizer.Dispose();
            objective.Dispose();
            Parameters.Dispose();
            device.Dispose();
            world.Dispose();
        }

        private void Transfer(Tensor from, Tensor to) => device.Upload(Values(from), to);

        private static float[] Values(Tensor tensor)
        {
            var values = new float[tensor.Length];
            tensor.Buffer.Device.Download(tensor, values);
            return values;
        }
    }
}
