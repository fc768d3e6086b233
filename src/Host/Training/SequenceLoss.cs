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
    private readonly Tensor logits;
    private readonly HeadCrossEntropy crossEntropy;
    private readonly LossRows rows;
    private readonly int slot;

    /// <param name="model">The decoder, with activations for training.</param>
    /// <param name="capacity">Largest sizes of any micro-batch.</param>
    public SequenceLoss(Transformer model, PackedBatchCapacity capacity)
    {
        this.model = model;
        var device = model.Weights.Device;
        int vocabulary = model.Config.VocabSize;
        batch = new DeviceBatch(device, capacity);
        scalars = new LossScalars(device, 1);
        slot = scalars.Reserve(1);
        logits = device.AllocateTensor(BufferKind.Compute, device.LogitsChunkRows(vocabulary), vocabulary, MemoryCategory.Logits);
        crossEntropy = new HeadCrossEntropy(model, capacity.NextTokenTargets, logits);
        rows = new LossRows(device, capacity.NextTokenTargets);
    }

    /// <summary>Forward and backward of a micro-batch; parameter gradients accumulate.</summary>
    public void Run(PackedBatch packed, LossReport report)
    {
        batch.Load(packed);
        rows.Load(packed.NextToken);
        model.BeginBackward();
        model.Forward(batch.Ids, batch.Plan);
        crossEntropy.Accumulate(scalars.Slots(slot, 1), rows, 1);
        model.Backward(batch.Ids, batch.Plan);
        scalars.Download();
        report.Clear();
        (report.Total, report.Tokens) = (scalars[slot], packed.TokenCount);
    }

    public void Dispose()
    {
        rows.Dispose();
        crossEntropy.Dispose();
        logits.Buffer.Dispose();
        scalars.Dispose();
        batch.Dispose();
    }
}
