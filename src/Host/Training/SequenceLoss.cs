using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>Plain next-token cross-entropy over the counted targets of a packed micro-batch, forward and backward.</summary>
public sealed class SequenceLoss : IDisposable
{
    private readonly Transformer model;
    private readonly DeviceBatch batch;
    private readonly LossScalars scalars;
    private readonly int[] tokens;
    private readonly Tensor logits;
    private readonly HeadCrossEntropy crossEntropy;
    private readonly LossRows rows;
    private readonly int slot;

    /// <param name="model">The decoder, with activations for training.</param>
    /// <param name="capacity">Largest sizes of any micro-batch.</param>
    /// <param name="microBatches">Most of them between two downloads of <see cref="Scalars"/>.</param>
    public SequenceLoss(Transformer model, PackedBatchCapacity capacity, int microBatches = 1)
    {
        this.model = model;
        var device = model.Weights.Device;
        int vocabulary = model.Config.VocabSize;
        batch = new DeviceBatch(device, capacity);
        scalars = new LossScalars(device, 2, microBatches);
        tokens = new int[microBatches];
        slot = scalars.Reserve(1);
        logits = device.AllocateLogits(vocabulary);
        crossEntropy = new HeadCrossEntropy(model, capacity.NextTokenTargets, logits);
        rows = new LossRows(device, capacity.NextTokenTargets);
    }

    /// <summary>Forward and backward of a micro-batch; parameter gradients accumulate.</summary>
    public void Run(PackedBatch packed, LossReport report)
    {
        Queue(packed, 0);
        scalars.Download();
        Read(0, report);
    }

    /// <summary>Where the terms are, a row for each micro-batch; one slot is left for the owner of the step.</summary>
    public LossScalars Scalars => scalars;

    /// <summary>The same without waiting for the loss: it is read after a download of <see cref="Scalars"/>.</summary>
    /// <param name="packed">The micro-batch.</param>
    /// <param name="row">Its number since the last download, from 0.</param>
    public void Queue(PackedBatch packed, int row)
    {
        scalars.Row = row;
        tokens[row] = packed.TokenCount;
        Load(packed);
        using var captured = model.Weights.Device.Capture(Phase.MicroBatch);
        model.Forward(batch.Ids, batch.Plan);
        using (model.Weights.Device.Scope(Phase.Loss))
        {
            model.BeginBackward();
            crossEntropy.Accumulate(scalars.Slots(slot, 1), rows, 1);
        }

        model.Backward(batch.Ids, batch.Plan);
    }

    /// <summary>The loss of a micro-batch as the last download brought it.</summary>
    public void Read(int row, LossReport report)
    {
        scalars.Row = row;
        report.Clear();
        (report.Total, report.Tokens) = (scalars[slot], tokens[row]);
    }

    public void Dispose()
    {
        rows.Dispose();
        crossEntropy.Dispose();
        logits.Buffer.Dispose();
        scalars.Dispose();
        batch.Dispose();
    }

    private void Load(PackedBatch packed)
    {
        using var data = model.Weights.Device.Scope(Phase.Data);
        batch.Load(packed);
        rows.Load(packed.NextToken);
    }
}
