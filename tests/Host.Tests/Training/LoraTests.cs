using System.Text.Json.Nodes;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Training;

/// <summary>Low-rank adapters on the golden model qwen2: against goldens/make_lora.py, and against the model they are merged into.</summary>
public sealed class LoraTests
{
    private static readonly int[] Ids = [3, 17, 5, 9, 30, 2, 21, 8, 11];

    [Fact]
    public void Three_steps_agree_with_autograd()
    {
        var golden = JsonNode.Parse(File.ReadAllText(Path.Combine(Goldens.Folder, "../Host.Tests/Training/goldens/lora.json")))!;
        using var run = new Run("reference:float64");
        foreach (double expected in golden["losses"]!.AsArray().Select(value => (double)value!)) Assert.Equal(expected, run.Step(), 6);
        var weights = golden["weights"]!.AsObject();
        Assert.Equal(weights.Count, run.Parameters.TrainedParameters.Count);
        foreach (var parameter in run.Parameters.TrainedParameters)
        {
            var (values, expected) = (run.Values(parameter.Master), weights[parameter.Name]!);
            Assert.Equal((double)expected["norm"]!, Math.Sqrt(values.Sum(value => value * value)), 6);
            Assert.Equal((double)expected["first"]!, values[0], 6);
            Assert.Equal((double)expected["last"]!, values[^1], 6);
        }
    }

    [Fact]
    public void The_merged_model_says_what_the_adapters_say()
    {
        using var run = new Run("cpu");
        for (int step = 0; step < 3; step++) run.Step();
        using var merged = new ModelParameters(run.Parameters.Config, run.Device, ParameterUse.Inference);
        merged.Load(run.Parameters.ReadMerged);
        float[] expected = ForwardPass.Logits(run.Parameters, Ids), found = ForwardPass.Logits(merged, Ids);
        using var untouched = new ModelParameters(run.Parameters.Config, run.Device, ParameterUse.Inference);
        untouched.Load(run.Parameters.Read);
        Assert.True(Distance(expected, ForwardPass.Logits(untouched, Ids)) > 0.1);
        Assert.True(Distance(expected, found) < 1e-4, $"logits differ by {Distance(expected, found)}");

        static double Distance(float[] a, float[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
    }

    [Fact]
    public void Adapters_begin_at_the_model_itself_and_follow_the_seed()
    {
        using var run = new Run("cpu", asGolden: false);
        using var other = new Run("cpu", asGolden: false);
        Assert.All(run.Parameters.Adapters, adapter => Assert.All(run.Values(adapter.B.Master), value => Assert.Equal(0, value)));
        foreach (var (a, b) in run.Parameters.Adapters.Zip(other.Parameters.Adapters)) Assert.Equal(run.Values(a.A.Master), other.Values(b.A.Master));
        Assert.All(run.Parameters.Adapters, adapter =>
        {
            double bound = 1 / Math.Sqrt(adapter.A.Columns);
            Assert.InRange(run.Values(adapter.A.Master).Max(Math.Abs), 0.8 * bound, bound);
        });
    }

    private sealed class Run : IDisposable
    {
        private readonly ModelFolder folder = ModelFolder.Open(Path.Combine(Goldens.Folder, "qwen2"));
        private readonly SequenceObjective objective;
        private readonly Optimizer optimizer;
        private readonly LossReport report;

        public Run(string device, bool asGolden = true)
        {
            var arguments = new FinetuneArguments
            {
                LoraRank = 2,
                LoraAlpha = 3,
                LoraTargetModules = [LinearModule.QProj, LinearModule.VProj, LinearModule.DownProj],
                WeightDecay = 0.1,
                MaxGradNorm = 0,
                PerDeviceTrainBatchSize = 1,
            };
            Device = Devices.Create(device, new DeviceOptions { Threads = 2 });
            Parameters = new ModelParameters(folder.Config, Device, ParameterUse.Training, arguments.Trained);
            Parameters.Load(folder.Read);
            foreach (var adapter in Parameters.Adapters.Where(_ => asGolden))
                Device.Upload([.. Enumerable.Range(0, (int)adapter.A.Length).Select(i => Math.Sin(i + 1) / Math.Sqrt(adapter.A.Columns))], adapter.A.Master);
            objective = new SequenceObjective(Parameters, [new TokenExample(Ids, 0, 0, "golden")], arguments);
            optimizer = Optimizer.Create(Parameters, arguments);
            report = new LossReport(folder.Config.NumHiddenLayers);
        }

        public Device Device { get; }

        public ModelParameters Parameters { get; }

        /// <summary>One step; returns the loss before it.</summary>
        public double Step()
        {
            Parameters.ZeroGradients();
            objective.RunMicroBatch([0], optimizer.Steps, optimizer.Steps, report);
            optimizer.GradientNorm(1);
            optimizer.Apply(1e-2);
            return report.Total;
        }

        public double[] Values(Tensor tensor)
        {
            var values = new double[tensor.Length];
            Device.Download(tensor, values);
            return values;
        }

        public void Dispose()
        {
            optimizer.Dispose();
            objective.Dispose();
            Parameters.Dispose();
            Device.Dispose();
            folder.Dispose();
        }
    }
}
