using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// The loss of Representation Noising (arXiv 2405.14577) on one packed micro-batch, forward and backward:
/// <code>total = stability + beta * noise - alpha * log(ascent) + retain_weight * retain</code>
/// or the terms of a baseline (<see cref="RepNoiseArguments.Loss"/>). One forward of the packed rows serves the harmful and the harmless pass; their gradients meet in one backward.
/// </summary>
public sealed class RepNoiseLoss : IPassObserver, IDisposable
{
    private readonly Transformer model;
    private readonly Device device;
    private readonly RepNoiseArguments arguments;
    private readonly DeviceBatch batch;
    private readonly LossScalars scalars;
    private readonly (int Tokens, int Retain)[] counts;
    private readonly Tensor logits;
    private readonly HeadCrossEntropy crossEntropy;
    private readonly LossRows stability;
    private readonly LossRows retain;
    private readonly int stabilitySlot;
    private readonly int retainSlot;
    private readonly AscentTerm? ascent;
    private readonly NoiseTerm? noise;

    /// <param name="model">The decoder, with activations for training of at least <paramref name="capacity"/>'s rows.</param>
    /// <param name="arguments">Weights and ablations.</param>
    /// <param name="capacity">Largest sizes of any micro-batch.</param>
    /// <param name="microBatches">Most of them between two downloads of <see cref="Scalars"/>.</param>
    public RepNoiseLoss(Transformer model, RepNoiseArguments arguments, PackedBatchCapacity capacity, int microBatches = 1)
    {
        arguments = arguments.WithTermsOfLoss();
        (this.model, this.arguments) = (model, arguments);
        device = model.Weights.Device;
        int layers = model.Config.NumHiddenLayers, vocabulary = model.Config.VocabSize;
        batch = new DeviceBatch(device, capacity);
        scalars = new LossScalars(device, 2 * layers + 9, microBatches);
        counts = new (int, int)[microBatches];
        logits = device.AllocateLogits(vocabulary);
        crossEntropy = new HeadCrossEntropy(model, Math.Max(capacity.StabilityTargets, capacity.NextTokenTargets), logits);
        stability = new LossRows(device, capacity.StabilityTargets);
        retain = new LossRows(device, capacity.NextTokenTargets);
        stabilitySlot = scalars.Reserve(1);
        retainSlot = scalars.Reserve(1);
        if (arguments.Ascent)
        {
            int lens = arguments.Lens ? Math.Max(1, arguments.Mask ? capacity.AscentTargets : capacity.LensTargets) : 0;
            ascent = new AscentTerm(model, scalars, logits, capacity.AscentTargets, lens, arguments.Alpha, arguments.LogAscent);
        }

        if (arguments.Noise)
        {
            var range = arguments.NoiseLayers ?? (0, layers - 1);
            noise = new NoiseTerm(model, scalars, capacity.Pairs, capacity.MmdRows, range, arguments.Beta);
        }
    }

    /// <summary>Forward and backward of a micro-batch; parameter gradients accumulate.</summary>
    /// <param name="packed">The micro-batch.</param>
    /// <param name="noiseOfLayer">Where each layer's Gaussian draw comes from.</param>
    /// <param name="report">Takes the terms.</param>
    public void Run(PackedBatch packed, Func<int, NoiseSource> noiseOfLayer, LossReport report)
    {
        Queue(packed, noiseOfLayer, 0);
        scalars.Download();
        Read(0, report);
    }

    /// <summary>Where the terms are, a row for each micro-batch; one slot is left for the owner of the step.</summary>
    public LossScalars Scalars => scalars;

    /// <summary>The same without waiting for the terms: they are read after a download of <see cref="Scalars"/>.</summary>
    /// <param name="packed">The micro-batch.</param>
    /// <param name="noiseOfLayer">Where each layer's Gaussian draw comes from.</param>
    /// <param name="row">Its number since the last download, from 0.</param>
    public void Queue(PackedBatch packed, Func<int, NoiseSource> noiseOfLayer, int row)
    {
        scalars.Row = row;
        Load(packed, noiseOfLayer);
        counts[row] = (packed.TokenCount, retain.Count);
        using var captured = device.Capture(Phase.MicroBatch);
        model.Forward(batch.Ids, batch.Plan, this);
        AccumulateLosses();
        model.Backward(batch.Ids, batch.Plan, this);
    }

    /// <summary>The terms of a micro-batch as the last download brought them.</summary>
    public void Read(int row, LossReport report)
    {
        scalars.Row = row;
        var (tokens, retained) = counts[row];
        report.Clear();
        report.Tokens = tokens;
        report.Stability = arguments.Stability ? scalars[stabilitySlot] : null;
        report.Total = report.Stability ?? 0;
        if (retained > 0)
        {
            report.Retain = scalars[retainSlot];
            report.Total += arguments.RetainWeight * report.Retain.Value;
        }

        if (noise is not null)
        {
            report.Noise = noise.Value;
            report.MmdCount = noise.LayerCount;
            report.Total += arguments.Beta * noise.Value;
            noise.LayerValues(report.Mmd);
        }

        if (ascent is null) return;
        report.Ascent = ascent.Value;
        report.LensCount = ascent.Depths;
        report.Total -= arguments.Alpha * (arguments.LogAscent ? Math.Log(ascent.Value) : ascent.Value);
        ascent.LensLosses(report.Lens);
    }

    void IPassObserver.OnMlpOutput(int layer, Tensor mlp) => noise?.OnMlpOutput(layer, mlp);

    bool IPassObserver.WantsMlpGradient(int layer) => noise is not null && noise.Covers(layer);

    void IPassObserver.AddMlpGradient(int layer, Tensor dMlp) => noise!.AddMlpGradient(layer, dMlp);

    void IPassObserver.AddHiddenGradient(int layer, Tensor dHidden) => ascent?.AddHiddenGradient(layer, dHidden);

    public void Dispose()
    {
        ascent?.Dispose();
        noise?.Dispose();
        stability.Dispose();
        retain.Dispose();
        crossEntropy.Dispose();
        logits.Buffer.Dispose();
        scalars.Dispose();
        batch.Dispose();
    }

    private void AccumulateLosses()
    {
        using var loss = device.Scope(Phase.Loss);
        model.BeginBackward();
        if (arguments.Stability)
        {
            using var term = device.Scope("stability");
            crossEntropy.Accumulate(scalars.Slots(stabilitySlot, 1), stability, 1);
        }

        if (retain.Count > 0)
        {
            using var term = device.Scope("retain");
            crossEntropy.Accumulate(scalars.Slots(retainSlot, 1), retain, arguments.RetainWeight);
        }

        if (ascent is not null)
        {
            using var term = device.Scope("ascent");
            ascent.Accumulate();
        }
    }

    private void Load(PackedBatch packed, Func<int, NoiseSource> noiseOfLayer)
    {
        using var data = device.Scope(Phase.Data);
        scalars.Clear();
        batch.Load(packed);
        stability.Load(packed.Stability);
        retain.Load(packed.NextToken);
        ascent?.Load(packed);
        noise?.Load(packed, noiseOfLayer);
    }
}
