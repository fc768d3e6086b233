using RepNoise.Host.Checkpoints;
using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Progress;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Tokenizers;
using RepNoise.Host.Training;
using RepNoise.Kernels;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Host.Tests.Training;

/// <summary>Runs alone: what other tests take from the heap would be counted.</summary>
[CollectionDefinition(nameof(AloneCollection), DisableParallelization = true)]
public sealed class AloneCollection;

/// <summary>
/// After warm-up a training step takes nearly nothing from the managed heap and nothing from the device, and waits for it once.
/// </summary>
[Collection(nameof(AloneCollection))]
public sealed class SteadyStateTests
{
    private const long MostHeapBytes = 64 * 1024;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_step_allocates_under_64_kilobytes(int threads)
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = threads });
        Assert.InRange(CheckSteps(device, warmUp: 20, steps: 20), 0, MostHeapBytes);
    }

    [Theory]
    [InlineData("", 1, false)]
    [InlineData(":float32", 2, false)] // and the second micro-batch's terms come with those of the first
    [InlineData("", 2, true)]
    public void A_step_on_a_cuda_device_allocates_under_64_kilobytes(string format, int microBatches, bool captures)
    {
        using var device = Devices.Create(CudaName.Of(format), new DeviceOptions { CudaGraphs = captures });
        Assert.InRange(CheckSteps(device, warmUp: 1, steps: 2, microBatches), 0, MostHeapBytes);
    }

    [Fact]
    public void A_step_on_an_ilgpu_device_takes_nothing_from_it_and_waits_once()
    {
        if (Devices.List().First(info => info.Name == "ilgpu:cuda-sim").Refusal is { } refusal) Assert.Skip(refusal);
        using var device = Devices.Create("ilgpu:cuda-sim");
        CheckSteps(device, warmUp: 0, steps: 1); // all of its scratch memory is made with it
    }

    /// <summary>Runs steps, checks memory and waits of the device, and returns the bytes of heap that each took.</summary>
    private static long CheckSteps(Device device, int warmUp, int steps, int microBatches = 1)
    {
        using var world = new TinyWorld();
        using var source = new FolderSource(ModelFolder.Open(world.Model));
        using var parameters = new ModelParameters(source.Config, device, ParameterUse.Training);
        source.Load(parameters);
        var arguments = new RepNoiseArguments { MaxSteps = 100, PerDeviceTrainBatchSize = 4, GradientAccumulationSteps = microBatches, RetainRows = 3, MaxLength = 32, LearningRate = 1e-4 };
        using var objective = new PairObjective(parameters, Pairs(world), Retain(world), 0, arguments);
        using var trainer = new Trainer(parameters, objective, arguments);
        using var metrics = new MetricsWriter(world["metrics.jsonl"]);
        IStepObserver[] observers = [metrics];
        for (int i = 0; i < warmUp; i++) trainer.RunStep(observers);

        long waits = Waits(), heap = GC.GetTotalAllocatedBytes(precise: true), onDevice = device.AllocatedBytes;
        for (int i = 0; i < steps; i++) trainer.RunStep(observers);
        long perStep = (GC.GetTotalAllocatedBytes(precise: true) - heap) / steps;
        Assert.Equal(onDevice, device.AllocatedBytes);
        if (device is AcceleratorDevice) Assert.Equal(steps, Waits() - waits);
        return perStep;

        long Waits() => (device as AcceleratorDevice)?.Synchronizations ?? 0;
    }

    private static IReadOnlyList<TokenPair> Pairs(TinyWorld world)
    {
        var tokenizer = Tokenizer.Load(world.Model);
        var texts = PairReader.Read(world.Data("pairs.jsonl")).Pairs.Take(60).ToList();
        return PairTokenizer.Tokenize(texts, text => tokenizer.Encode(text), new TokenizeOptions { MaxLength = 32 }).Pairs;
    }

    private static IReadOnlyList<TokenExample> Retain(TinyWorld world)
    {
        var tokenizer = Tokenizer.Load(world.Model);
        var texts = ExampleReader.Read(world.Data("retain.jsonl")).Examples.Take(40).ToList();
        return ExampleTokenizer.Tokenize(texts, text => tokenizer.Encode(text), new TokenizeOptions { MaxLength = 32 }).Examples;
    }
}
