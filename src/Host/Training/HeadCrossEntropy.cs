using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// Cross-entropy of final logits on selected rows: gathers rows of the final hidden state, runs them through the head, and adds
/// gradients to the head and to <see cref="Transformer.DFinalNormed"/>. Serves stability, retain and plain fine-tuning.
/// </summary>
public sealed class HeadCrossEntropy : IDisposable
{
    private readonly Transformer model;
    private readonly Device device;
    private readonly Tensor selected;
    private readonly Tensor dSelected;
    private readonly Tensor losses;
    private readonly Tensor logits;

    /// <param name="model">The decoder, for training.</param>
    /// <param name="maxEntries">Most entries of any term.</param>
    /// <param name="logits">Workspace (chunk, V), shared between terms.</param>
    public HeadCrossEntropy(Transformer model, int maxEntries, Tensor logits)
    {
        (this.model, this.logits) = (model, logits);
        device = model.Weights.Device;
        selected = device.AllocateTensor(BufferKind.Compute, maxEntries, model.Config.HiddenSize, MemoryCategory.CrossEntropy);
        dSelected = device.AllocateTensor(BufferKind.Compute, maxEntries, model.Config.HiddenSize, MemoryCategory.CrossEntropy);
        losses = device.AllocateTensor(BufferKind.State, 1, maxEntries, MemoryCategory.CrossEntropy);
    }

    /// <summary>result (1, 1) = the term's mean; adds <paramref name="weight"/> times its gradient.</summary>
    public void Accumulate(Tensor result, LossRows rows, double weight)
    {
        var x = selected.RowRange(0, rows.Length);
        var dX = dSelected.RowRange(0, rows.Length);
        var loss = losses.ColumnRange(0, rows.Length);
        if (rows.Length > 0)
        {
            var head = model.Weights.Head;
            device.GatherRows(x, model.FinalNormed, rows.Rows);
            device.LinearCrossEntropy(loss, x, head.Value, rows.Targets, weight / rows.Count, dX, head.IsTrained ? head.Gradient : default, logits);
            device.Show("losses", loss);
            device.ScatterAddRows(model.DFinalNormed, dX, rows.Rows);
        }

        rows.Mean(result, loss, model.Config.VocabSize);
    }

    public void Dispose()
    {
        selected.Buffer.Dispose();
        dSelected.Buffer.Dispose();
        losses.Buffer.Dispose();
    }
}
