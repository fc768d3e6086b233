using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>The defence: micro-batches of pairs, with retain examples beside them, under the RepNoise loss.</summary>
public sealed class PairObjective : ITrainingObjective
{
    private readonly IReadOnlyList<TokenPair> pairs;
    private readonly IReadOnlyList<TokenExample> retain;
    private readonly PairPacker packer;
    private readonly PackedBatch batch;
    private readonly Transformer model;
    private readonly RepNoiseLoss loss;
    private readonly ExampleOrder? retainOrder;
    private readonly TokenPair[] chosen;
    private readonly TokenExample[] chosenRetain;
    private readonly Func<int, NoiseSource> noise;
    private readonly ulong seed;
    private int step;

    /// <param name="parameters">Weights to train.</param>
    /// <param name="pairs">The defence's pairs.</param>
    /// <param name="retain">Harmless examples; may be empty.</param>
    /// <param name="padId">Id of the pads that face text.</param>
    /// <param name="arguments">Loss and batch sizes.</param>
    public PairObjective(
        ModelParameters parameters, IReadOnlyList<TokenPair> pairs, IReadOnlyList<TokenExample> retain, int padId, RepNoiseArguments arguments)
    {
        (this.pairs, this.retain, seed) = (pairs, retain, arguments.Seed);
        var packing = new PackingOptions
        {
            PadId = padId,
            MaxLength = arguments.MaxLength,
            FirstToken = arguments.FirstToken,
            Mask = arguments.Mask,
        };
        packer = new PairPacker(packing);
        chosen = new TokenPair[arguments.PerDeviceTrainBatchSize];
        chosenRetain = new TokenExample[retain.Count == 0 ? 0 : RetainRows(arguments)];
        var capacity = PackedBatchCapacity.Of(pairs, chosen.Length, packing, retain, chosenRetain.Length);
        batch = new PackedBatch(capacity);
        model = new Transformer(parameters, capacity.Rows, capacity.Positions, ParameterUse.Training, arguments.GradientCheckpointing);
        loss = new RepNoiseLoss(model, arguments, capacity, arguments.GradientAccumulationSteps);
        if (chosenRetain.Length > 0)
            retainOrder = new ExampleOrder(retain.Count, arguments.DataSeed ?? arguments.Seed, PhiloxPurpose.RetainOrder);
        noise = layer => NoiseSource.Counter(seed, (uint)step, layer); // made once: a lambda for each step would allocate
    }

    /// <inheritdoc/>
    public LossScalars Scalars => loss.Scalars;

    /// <inheritdoc/>
    public int ExampleCount => pairs.Count;

    /// <summary>Retain examples in a micro-batch.</summary>
    public static int RetainRows(RepNoiseArguments arguments) =>
        arguments.RetainRows > 0 ? arguments.RetainRows : 2 * arguments.PerDeviceTrainBatchSize;

    /// <inheritdoc/>
    public void QueueMicroBatch(ReadOnlySpan<int> examples, int step, long microBatch, int row)
    {
        this.step = step;
        Pack(examples, microBatch);
        loss.Queue(batch, noise, row);
    }

    /// <inheritdoc/>
    public void Read(int row, LossReport report) => loss.Read(row, report);

    /// <inheritdoc/>
    public string PlaceOf(int example) => pairs[example].Place;

    public void Dispose()
    {
        loss.Dispose();
        model.Dispose();
    }

    private void Pack(ReadOnlySpan<int> examples, long microBatch)
    {
        using var data = model.Weights.Device.Scope(Phase.Data);
        for (int i = 0; i < examples.Length; i++) chosen[i] = pairs[examples[i]];
        for (int i = 0; i < chosenRetain.Length; i++) chosenRetain[i] = retain[retainOrder!.At(microBatch * chosenRetain.Length + i)];
        packer.Fill(batch, chosen.AsSpan(0, examples.Length), chosenRetain);
        batch.CheckWindows(model.Config.SlidingWindows);
    }
}
