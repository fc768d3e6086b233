using System.Diagnostics;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Bench.Step;

/// <summary>The child that runs this project's own trainer, and the weights and noise that both sides start from.</summary>
internal static class OurSide
{
    private const ulong Seed = 42;

    /// <summary>Runs a step for every line on standard input.</summary>
    public static void Serve(Job job)
    {
        if (job.Product is { } product)
        {
            ServeProduct(job, product);
            return;
        }

        using var device = Devices.Create("cpu", new DeviceOptions { Threads = job.Threads, Kernels = job.Kernels });
        using var parameters = new ModelParameters(Config(job), device, ParameterUse.Training);
        using (var file = SafetensorsFile.Open(job.Tensors)) parameters.Load(file.ReadInto);
        using var objective = Objective(job, parameters, out var arguments);
        using var trainer = new Trainer(parameters, objective, arguments);
        StepServer.Run(() =>
        {
            long begun = Stopwatch.GetTimestamp();
            trainer.RunStep([]);
            return new StepResult(Stopwatch.GetElapsedTime(begun).TotalSeconds, trainer.Loss.Total);
        });
    }

    private static void ServeProduct(Job job, Product product)
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = job.Threads, Kernels = job.Kernels });
        using var file = SafetensorsFile.Open(job.Tensors);
        var (a, b) = (Load("a", product.AShape), Load("b", product.BShape));
        var c = device.AllocateTensor(BufferKind.Compute, product.M, product.N, "product");
        var form = Enum.Parse<MatmulForm>(product.Form);
        var result = new double[c.Length];
        StepServer.Run(() =>
        {
            long begun = Stopwatch.GetTimestamp();
            for (int i = 0; i < product.Repeats; i++) device.Matmul(c, a, b, form);
            device.Synchronize();
            double seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds / product.Repeats;
            device.Download(c, result);
            return new StepResult(seconds, Math.Sqrt(result.Average(x => x * x)));
        });

        Tensor Load(string name, long[] shape)
        {
            var values = new float[shape[0] * shape[1]];
            file.ReadInto(name, 0, values);
            var tensor = device.AllocateTensor(BufferKind.Compute, (int)shape[0], (int)shape[1], "product");
            device.Upload(values, tensor);
            return tensor;
        }
    }

    /// <summary>Writes the two operands of a product.</summary>
    public static void WriteOperands(Job job, Product product)
    {
        using var writer = SafetensorsWriter.Create(
            job.Tensors,
            [new TensorSpec("a", DType.F32, product.AShape), new TensorSpec("b", DType.F32, product.BShape)],
            new Dictionary<string, string>());
        int stream = 0;
        foreach (long[] shape in (long[][])[product.AShape, product.BShape])
        {
            var values = new float[shape[0] * shape[1]];
            GaussianNoise.Fill(values, Seed, 0, stream++, 0, 0);
            writer.Write(values);
        }

        writer.Finish();
    }

    /// <summary>Writes random weights and the noise of the proof's steps, which is our own counter noise.</summary>
    public static void WriteTensors(Job job)
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        using var parameters = new ModelParameters(Config(job), device, ParameterUse.Inference);
        RandomInitialization.Fill(parameters, Seed);
        var noises = from step in Enumerable.Range(0, Job.ProofSteps) from layer in Enumerable.Range(0, job.Layers) select (step, layer);
        long[] frame = [job.Harmful.Length, job.Length, job.Hidden];
        TensorSpec[] specs = [
            .. parameters.Parameters.Select(p => new TensorSpec(p.Name, DType.F32, p.Shape)),
            .. noises.Select(n => new TensorSpec(Job.Noise(n.step, n.layer), DType.F32, frame))];
        using var writer = SafetensorsWriter.Create(job.Tensors, specs, new Dictionary<string, string>());
        foreach (var parameter in parameters.Parameters)
        {
            var values = new float[parameter.Length];
            parameters.Read(parameter.Name, 0, values);
            writer.Write(values);
        }

        var draw = new float[job.Hidden];
        foreach (var (step, layer) in noises)
        {
            for (int row = 0; row < job.Harmful.Length * job.Length; row++)
            {
                GaussianNoise.Fill(draw, Seed, (uint)step, layer, row / job.Length, row % job.Length);
                writer.Write(draw);
            }
        }

        writer.Finish();
    }

    private static ITrainingObjective Objective(Job job, ModelParameters parameters, out TrainingArguments arguments)
    {
        // The peer's step: constant rate, no decay, no clip, no warm-up.
        if (job.Sft)
        {
            var sft = new FinetuneArguments
            {
                PerDeviceTrainBatchSize = job.Harmful.Length,
                LearningRate = Job.LearningRate,
                MaxGradNorm = 0,
                MaxSteps = int.MaxValue,
                LrSchedulerType = SchedulerType.Constant,
                WarmupRatio = 0,
                Seed = Seed,
                MaxLength = job.Length,
            };
            arguments = sft;
            return new SequenceObjective(parameters, [.. job.Harmful.Select((ids, i) => new TokenExample(ids, 0, i, $"text {i}"))], sft);
        }

        var defence = new RepNoiseArguments
        {
            PerDeviceTrainBatchSize = job.Harmful.Length,
            LearningRate = Job.LearningRate,
            MaxGradNorm = 0,
            MaxSteps = int.MaxValue,
            LrSchedulerType = SchedulerType.Constant,
            WarmupRatio = 0,
            Seed = Seed,
            MaxLength = job.Length,
            Alpha = Job.Alpha,
            Beta = Job.Beta,
        };
        arguments = defence;
        TokenPair[] pairs = [.. job.Harmful.Select((ids, i) => new TokenPair(ids, job.Harmless[i], i, $"pair {i}"))];
        return new PairObjective(parameters, pairs, [], Job.PadId, defence);
    }

    private static ModelConfig Config(Job job) => new()
    {
        ModelType = ModelType.Llama,
        HiddenSize = job.Hidden,
        IntermediateSize = job.Intermediate,
        NumHiddenLayers = job.Layers,
        NumAttentionHeads = job.Heads,
        NumKeyValueHeads = job.Heads,
        HeadDim = job.Hidden / job.Heads,
        VocabSize = job.Vocab,
        MaxPositionEmbeddings = job.Length,
        RmsNormEps = Job.NormEpsilon,
        TieWordEmbeddings = false,
        Rope = new RopeParameters(Job.RopeTheta),
        SlidingWindows = new int?[job.Layers],
    };
}
