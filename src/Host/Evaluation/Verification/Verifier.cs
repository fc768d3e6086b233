using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Evaluation.Verification;

/// <summary>
/// Recomputes every value of a <see cref="ReferenceValues"/> with our engine on one device: forward, plain cross-entropy, the
/// RepNoise loss and each of its terms with gradients, greedy text, and three AdamW steps.
/// </summary>
public sealed class Verifier : IDisposable
{
    private const double AdamWLearningRate = 1e-3;
    private readonly ReferenceValues values;
    private readonly Device device;
    private readonly ModelParameters parameters;
    private readonly Transformer model;
    private readonly TensorReader weights;

    /// <summary>Every comparison on a device, by the tolerances of its number format.</summary>
    /// <inheritdoc cref="Verifier(ModelConfig, TensorReader, ReferenceValues, Device, bool)"/>
    public static VerificationReport Verify(ModelConfig config, TensorReader weights, ReferenceValues values, Device device, bool recomputesLayers = false)
    {
        using var verifier = new Verifier(config, weights, values, device, recomputesLayers);
        var report = verifier.Run();
        if (device.FormatOf(BufferKind.Compute) != NumberFormat.BFloat16) return report;
        using var loops = Devices.Create("reference:bfloat16", new DeviceOptions { StateFormat = device.FormatOf(device.ParameterKind) });
        using var naive = new Verifier(config, weights, values, loops, recomputesLayers);
        return report.WithBFloat16Tolerances(naive.Run());
    }

    /// <param name="config">The model's configuration.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="values">What to compare with.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="recomputesLayers">True checks the backward that recomputes each layer.</param>
    public Verifier(ModelConfig config, TensorReader weights, ReferenceValues values, Device device, bool recomputesLayers = false)
    {
        (this.values, this.device, this.weights) = (values, device, weights);
        var (pairs, length) = (values.Harmful.Batch, values.Harmful.Length);
        parameters = new ModelParameters(config, device, ParameterUse.Training);
        parameters.Load(weights);
        model = new Transformer(parameters, 2 * pairs * length, length, ParameterUse.Training, recomputesLayers);
    }

    public VerificationReport Report { get; } = new();

    /// <summary>Runs every comparison for which values are there.</summary>
    public VerificationReport Run()
    {
        ForwardAndCrossEntropy();
        RepNoise("repnoise", new RepNoiseArguments(), compareTerms: true);
        if (values.Has("combo.total")) RepNoise("combo", new RepNoiseArguments { Alpha = 0.5, Beta = 4 }, compareTerms: false);
        Term("stability", new RepNoiseArguments { Noise = false, Ascent = false }, _ => 1);
        Term("noise", new RepNoiseArguments { Stability = false, Ascent = false, Beta = 1 }, _ => 1);
        // d(+log a) = da / a, so the gradient of a alone is a times that of alpha = -1.
        Term("ascent", new RepNoiseArguments { Stability = false, Noise = false, Alpha = -1 }, report => report.Ascent!.Value);
        Greedy();
        AdamW();
        return Report;
    }

    public void Dispose()
    {
        model.Dispose();
        parameters.Dispose();
    }

    /// <summary>The padded harmless pass: logits and hidden states at every position, pads too, and the plain cross-entropy.</summary>
    private void ForwardAndCrossEntropy()
    {
        var packed = new PackedBatch(PackedBatchCapacity.OfPadded(values.Harmless.Batch, values.Harmless.Length));
        values.Harmless.Fill(packed);
        using var loss = new SequenceLoss(model, packed.Capacity);
        var report = new LossReport(model.Config.NumHiddenLayers);
        parameters.ZeroGradients();
        loss.Run(packed, report);
        Compare("ce.loss", "ce.loss", [report.Total], Tolerances.Loss);
        CompareGradients("ce.grad", _ => 1, report);
        for (int l = 0; l <= model.Config.NumHiddenLayers; l++)
            Compare("hidden", $"hidden.{l}", Download(l < model.Config.NumHiddenLayers ? model.Hidden(l) : model.FinalNormed), Tolerances.Hidden);
        var logits = device.AllocateTensor(BufferKind.Compute, model.Rows, model.Config.VocabSize, MemoryCategory.Logits);
        model.Logits(logits, model.FinalNormed);
        Compare("logits", "logits", Download(logits), Tolerances.Logits);
        logits.Buffer.Dispose();
    }

    private void RepNoise(string name, RepNoiseArguments arguments, bool compareTerms)
    {
        var report = RunLoss(arguments);
        Compare($"{name}.total", $"{name}.total", [report.Total], Tolerances.Loss);
        if (compareTerms)
        {
            Compare("repnoise terms", $"{name}.stability", [report.Stability!.Value], Tolerances.Loss);
            Compare("repnoise terms", $"{name}.noise", [report.Noise!.Value], Tolerances.Loss);
            Compare("repnoise terms", $"{name}.ascent", [report.Ascent!.Value], Tolerances.Loss);
            for (int l = 0; l < report.MmdCount; l++) Compare("mmd", $"mmd.{l}", [report.Mmd[l]], Tolerances.Loss);
        }

        CompareGradients($"{name}.grad", _ => 1, report);
    }

    private void Term(string name, RepNoiseArguments arguments, Func<LossReport, double> scale) =>
        CompareGradients($"{name}.grad", scale, RunLoss(arguments));

    private LossReport RunLoss(RepNoiseArguments arguments)
    {
        using var run = new LossRun(this, arguments);
        parameters.ZeroGradients();
        return run.Run();
    }

    private void Greedy()
    {
        if (!values.Has("greedy_ids")) return;
        var prompts = values.Matrix("greedy_prompt");
        var expected = values.Matrix("greedy_ids");
        using var generator = new Generator(parameters, prompts.Length, expected[0].Length);
        var added = generator.Generate(prompts, expected[0].Length, new SamplingOptions(), []);
        double wrong = 0;
        for (int b = 0; b < prompts.Length; b++)
            wrong += prompts[b].Concat(added[b]).Zip(expected[b]).Count(pair => pair.First != pair.Second);
        Report.Add("greedy_ids", "greedy_ids", wrong, 0);
    }

    /// <summary>Three steps on the same batch and noise; leaves the weights changed, so it comes last.</summary>
    private void AdamW()
    {
        if (!values.Has("adamw.loss")) return;
        var arguments = new RepNoiseArguments { LearningRate = AdamWLearningRate, MaxGradNorm = 0 };
        using var run = new LossRun(this, arguments);
        using var optimizer = Optimizer.Create(parameters, arguments);
        var expected = values.Doubles("adamw.loss");
        for (int step = 0; step < expected.Length; step++)
        {
            parameters.ZeroGradients();
            double total = run.Run().Total;
            Report.Compare("adamw.loss", $"adamw.loss[{step}]", [total], [expected[step]], step == 0 ? Tolerances.Loss : Tolerances.LaterLoss);
            optimizer.GradientNorm(1);
            optimizer.Apply(AdamWLearningRate);
        }

        foreach (var parameter in parameters.Parameters)
        {
            string name = "adamw.param." + parameter.Name;
            if (values.Has(name)) CompareUpdate(name, parameter);
        }
    }

    private void CompareUpdate(string name, Parameter parameter)
    {
        var actual = Download(parameter.Master);
        var expected = values.Doubles(name);
        var start = new float[parameter.Length];
        weights(parameter.Name, 0, start);
        Report.Compare("adamw.param", name, actual, expected, Tolerances.Weights);
        var update = new double[expected.Length];
        var ours = new double[expected.Length];
        for (int i = 0; i < update.Length; i++) (ours[i], update[i]) = (actual[i] - start[i], expected[i] - start[i]);
        Report.Compare("adamw update", name, ours, update, Tolerances.Update);
        Report.Add("adamw median", name, VerificationReport.MedianDifference(actual, expected) / AdamWLearningRate, Tolerances.Median);
    }

    private void CompareGradients(string kind, Func<LossReport, double> scale, LossReport report)
    {
        foreach (var parameter in parameters.Parameters)
        {
            string name = $"{kind}.{parameter.Name}";
            if (!values.Has(name)) continue;
            var gradient = Download(parameter.Gradient);
            double factor = scale(report);
            for (int i = 0; i < gradient.Length; i++) gradient[i] *= factor;
            Report.Compare(kind, name, gradient, values.Doubles(name), Tolerances.Gradient);
        }
    }

    private void Compare(string kind, string name, ReadOnlySpan<double> actual, double tolerance)
    {
        if (values.Has(name)) Report.Compare(kind, name, actual, values.Doubles(name), tolerance);
    }

    private double[] Download(Tensor tensor)
    {
        var host = new double[tensor.Length];
        device.Download(tensor, host);
        return host;
    }

    /// <summary>The RepNoise loss over the reference's pairs with the reference's noise in buffers.</summary>
    private sealed class LossRun : IDisposable
    {
        private readonly PackedBatch packed;
        private readonly RepNoiseLoss loss;
        private readonly LossReport report;
        private readonly Tensor[] noise;

        public LossRun(Verifier owner, RepNoiseArguments arguments)
        {
            var values = owner.values;
            var config = owner.model.Config;
            var (pairs, padId) = PaddedIds.ToPairs(values.Harmful, values.Harmless);
            var packing = new PackingOptions { PadId = padId, MaxLength = values.Harmful.Length };
            packed = new PackedBatch(PackedBatchCapacity.Of(pairs, pairs.Length, packing));
            new PairPacker(packing).Fill(packed, pairs);
            packed.CheckWindows(config.SlidingWindows);
            loss = new RepNoiseLoss(owner.model, arguments, packed.Capacity);
            report = new LossReport(config.NumHiddenLayers);
            noise = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(l => Noise(owner, l, config.HiddenSize))];
        }

        public LossReport Run()
        {
            loss.Run(packed, layer => NoiseSource.FromBuffer(noise[layer]), report);
            return report;
        }

        public void Dispose()
        {
            loss.Dispose();
            foreach (var tensor in noise) tensor.Buffer.Dispose();
        }

        /// <summary>Rows of noise.layer [B,T,C] in the order of the MMD's entries.</summary>
        private Tensor Noise(Verifier owner, int layer, int width)
        {
            var all = owner.values.Doubles($"noise.{layer}");
            int length = owner.values.Harmful.Length;
            var rows = new double[packed.MmdCount * width];
            for (int r = 0; r < packed.MmdCount; r++)
                all.AsSpan((packed.MmdPairs[r] * length + packed.MmdPositions[r]) * width, width).CopyTo(rows.AsSpan(r * width));
            var tensor = owner.device.AllocateTensor(BufferKind.State, packed.MmdCount, width, MemoryCategory.Noise);
            owner.device.Upload(rows, tensor);
            return tensor;
        }
    }
}
