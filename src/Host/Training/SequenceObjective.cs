using RepNoise.Host.Data;
using RepNoise.Host.Model;

namespace RepNoise.Host.Training;

/// <summary>Plain fine-tuning: micro-batches of texts under next-token cross-entropy.</summary>
public sealed class SequenceObjective : ITrainingObjective
{
    private readonly IReadOnlyList<TokenExample> examples;
    private readonly SequencePacker packer;
    private readonly PackedBatch batch;
    private readonly Transformer model;
    private readonly SequenceLoss loss;
    private readonly TokenExample[] chosen;

    /// <param name="parameters">Weights to train.</param>
    /// <param name="examples">The texts.</param>
    /// <param name="arguments">Loss and batch sizes.</param>
    /// <param name="padId">Id of pads, where they are trained on.</param>
    public SequenceObjective(ModelParameters parameters, IReadOnlyList<TokenExample> examples, FinetuneArguments arguments, int padId = 0)
    {
        this.examples = examples;
        var options = new SequenceOptions
        {
            CompletionOnly = arguments.CompletionOnlyLoss,
            PadTo = arguments.TrainOnPads ? arguments.MaxLength : null,
            PadId = padId,
        };
        packer = new SequencePacker(options);
        chosen = new TokenExample[arguments.PerDeviceTrainBatchSize];
        var capacity = PackedBatchCapacity.OfSequences(examples, chosen.Length, options);
        batch = new PackedBatch(capacity);
        model = new Transformer(parameters, capacity.Rows, capacity.Positions, ParameterUse.Training, arguments.GradientCheckpointing);
        loss = new SequenceLoss(model, capacity, arguments.GradientAccumulationSteps);
    }

    /// <inheritdoc/>
    public LossScalars Scalars => loss.Scalars;

    /// <inheritdoc/>
    public int ExampleCount => examples.Count;

    /// <inheritdoc/>
    public void QueueMicroBatch(ReadOnlySpan<int> examples, int step, long microBatch, int row)
    {
        using (model.Weights.Device.Scope(Phase.Data))
        {
            for (int i = 0; i < examples.Length; i++) chosen[i] = this.examples[examples[i]];
            packer.Fill(batch, chosen.AsSpan(0, examples.Length));
            batch.CheckWindows(model.Config.SlidingWindows);
        }

        loss.Queue(batch, row);
    }

    /// <inheritdoc/>
    public void Read(int row, LossReport report) => loss.Read(row, report);

    /// <inheritdoc/>
    public string PlaceOf(int example) => examples[example].Place;

    public void Dispose()
    {
        loss.Dispose();
        model.Dispose();
    }
}
