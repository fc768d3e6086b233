using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// The ascent term <c>-alpha log(a)</c> of the harmful pass, <c>a = (CE(final) + sum over l = 0..L of CE(head(norm(x_l)))) /
/// (L + 1) + 1</c>, where x_L is taken after the final norm, so that the norm is applied to it twice. Without the lens:
/// a = CE(final).
/// <para>The factor of every gradient, <c>-alpha / a / (L + 1)</c>, is known only after the whole forward. So gradients are
/// computed unscaled beside the losses, while logits exist: those of head and norm into a workspace, those of the rows into a
/// matrix that each depth adds to the residual stream's gradient when the backward passes it.</para>
/// </summary>
public sealed class AscentTerm : IDisposable
{
    private readonly Transformer model;
    private readonly Device device;
    private readonly LossScalars scalars;
    private readonly Tensor logits;
    private readonly int depths;
    private readonly int firstTerm;
    private readonly int valueSlot;
    private readonly double alpha;
    private readonly bool isLogarithm;
    private readonly LossRows final;
    private readonly LensRows? lens;
    private readonly Tensor finalRows;
    private readonly Tensor dFinalRows;
    private readonly Tensor raw;
    private readonly Tensor rstd;
    private readonly Tensor normed;
    private readonly Tensor dNormed;
    private readonly Tensor losses;
    private readonly bool trainsHead;
    private readonly Tensor dHead;
    private readonly Tensor dNorm;
    private readonly List<DeviceBuffer> buffers = [];

    /// <param name="model">The decoder, for training.</param>
    /// <param name="scalars">Takes L + 2 terms, the ascent and its reciprocal.</param>
    /// <param name="logits">Workspace (chunk, V).</param>
    /// <param name="maxFinal">Most entries of the final cross-entropy.</param>
    /// <param name="maxLens">Most entries of one depth; 0 turns the lens off.</param>
    /// <param name="alpha">Weight of the term.</param>
    /// <param name="isLogarithm">False makes the term <c>-alpha a</c>.</param>
    public AscentTerm(Transformer model, LossScalars scalars, Tensor logits, int maxFinal, int maxLens, double alpha, bool isLogarithm)
    {
        (this.model, this.scalars, this.logits, this.alpha, this.isLogarithm) = (model, scalars, logits, alpha, isLogarithm);
        device = model.Weights.Device;
        var (c, v) = (model.Config.HiddenSize, model.Config.VocabSize);
        depths = maxLens > 0 ? model.Config.NumHiddenLayers + 1 : 0;
        firstTerm = scalars.Reserve(depths + 1);
        valueSlot = scalars.Reserve(2);
        final = new LossRows(device, maxFinal);
        lens = depths > 0 ? new LensRows(device, maxLens, depths) : null;
        finalRows = Allocate(BufferKind.Compute, maxFinal, c);
        dFinalRows = Allocate(BufferKind.Compute, maxFinal, c);
        raw = Allocate(BufferKind.Compute, depths * maxLens, c);
        rstd = Allocate(BufferKind.State, depths * maxLens, 1);
        normed = Allocate(BufferKind.Compute, depths * maxLens, c);
        dNormed = Allocate(BufferKind.Compute, depths * maxLens, c);
        losses = Allocate(BufferKind.State, 1, Math.Max(maxFinal, depths * maxLens));
        trainsHead = model.Weights.Head.IsTrained;
        dHead = trainsHead ? Allocate(BufferKind.State, v, c) : default;
        dNorm = Allocate(BufferKind.State, 1, c);
    }

    /// <summary>The ascent at the last download.</summary>
    public double Value => scalars[valueSlot];

    /// <summary>Cross-entropy of the final logits at the last download.</summary>
    public double FinalLoss => scalars[firstTerm];

    /// <summary>Lens cross-entropy of each depth 0..L at the last download; empty without the lens.</summary>
    public void LensLosses(Span<double> target)
    {
        for (int h = 0; h < Math.Min(depths, target.Length); h++) target[h] = scalars[firstTerm + 1 + h];
    }

    /// <summary>Number of lens depths, L + 1, or 0.</summary>
    public int Depths => depths;

    private double Divisor => depths > 0 ? depths : 1;

    private double GradientFactor => -alpha / Divisor;

    /// <summary>The derivative of the logarithm, on the device; none where there is no logarithm.</summary>
    private Tensor Reciprocal => isLogarithm ? scalars.Slots(valueSlot, 2).Element(1) : default;

    /// <summary>Takes a batch's entries.</summary>
    public void Load(PackedBatch packed)
    {
        final.Load(packed.AscentFinal);
        lens?.Load(packed.AscentLens, packed.Ids);
    }

    /// <summary>
    /// After the forward: all losses, the ascent, and the gradients of head, norm and final hidden state; depths below add theirs
    /// in <see cref="AddHiddenGradient"/>.
    /// </summary>
    public void Accumulate()
    {
        if (trainsHead) device.Fill(dHead, 0);
        FinalLosses();
        if (lens is not null) LensLosses(lens);
        device.AscentValue(scalars.Slots(valueSlot, 2), scalars.Slots(firstTerm, depths + 1), Divisor, depths > 0 ? 1 : 0);
        if (trainsHead) device.AddScaled(model.Weights.Head.Gradient, dHead, GradientFactor, Reciprocal);
        device.ScatterAddRows(model.DFinalNormed, dFinalRows.RowRange(0, final.Length), final.Rows, GradientFactor, Reciprocal);
        if (lens is not null) LensBackward(lens);
    }

    /// <summary>Adds the lens gradient of hidden[<paramref name="layer"/>], layer below L; at 0 that of repetitions to the first, which leads to the same embedding.</summary>
    public void AddHiddenGradient(int layer, Tensor dHidden)
    {
        if (lens is not null) device.ScatterAddRows(dHidden, lens.Depth(dNormed, layer), lens.Rows(layer), GradientFactor, Reciprocal);
    }

    public void Dispose()
    {
        foreach (var buffer in buffers) buffer.Dispose();
        final.Dispose();
        lens?.Dispose();
    }

    private void FinalLosses()
    {
        var loss = losses.ColumnRange(0, final.Length);
        if (final.Length > 0)
        {
            var x = finalRows.RowRange(0, final.Length);
            device.GatherRows(x, model.FinalNormed, final.Rows);
            device.LinearCrossEntropy(loss, x, model.Weights.Head.Value, final.Targets, 1.0 / final.Count,
                dFinalRows.RowRange(0, final.Length), dHead, logits);
            device.Show("final_losses", loss);
        }

        final.Mean(scalars.Slots(firstTerm, 1), loss, model.Config.VocabSize);
    }

    /// <summary>All depths in one pass through norm and head.</summary>
    private void LensLosses(LensRows lens)
    {
        int rows = lens.Length;
        var loss = losses.ColumnRange(0, rows);
        if (rows > 0)
        {
            for (int h = 0; h < depths; h++)
                device.GatherRows(lens.Depth(raw, h), h < depths - 1 ? model.Hidden(h) : model.FinalNormed, lens.Rows(h));
            var x = normed.RowRange(0, rows);
            device.RmsNormForward(x, rstd.RowRange(0, rows), raw.RowRange(0, rows), model.Weights.FinalNorm.Value, model.Config.RmsNormEps);
            device.LinearCrossEntropy(loss, x, model.Weights.Head.Value, lens.Targets, 1.0 / lens.Count,
                dNormed.RowRange(0, rows), dHead, logits, lens.Repeats);
            device.Show("lens_losses", loss);
        }

        for (int h = 0; h < depths; h++)
            lens.Mean(scalars.Slots(firstTerm + 1 + h, 1), loss, h, model.Config.VocabSize);
    }

    private void LensBackward(LensRows lens)
    {
        int rows = lens.Length;
        if (rows == 0) return;
        var norm = model.Weights.FinalNorm;
        var d = dNormed.RowRange(0, rows);
        device.Fill(dNorm, 0);
        device.RmsNormBackward(d, dNorm, d, raw.RowRange(0, rows), norm.Value, rstd.RowRange(0, rows), accumulate: false);
        if (norm.IsTrained) device.AddScaled(norm.Gradient, dNorm, GradientFactor, Reciprocal);
        device.ScatterAddRows(model.DFinalNormed, lens.Depth(dNormed, depths - 1), lens.Rows(depths - 1), GradientFactor, Reciprocal);
    }

    private Tensor Allocate(BufferKind kind, int rows, int columns)
    {
        var tensor = device.AllocateTensor(kind, rows, columns, MemoryCategory.Ascent);
        buffers.Add(tensor.Buffer);
        return tensor;
    }
}
