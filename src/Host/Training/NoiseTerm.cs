using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// The noise term: mean over a range of layers of the MMD between the harmful pass's MLP outputs on masked rows and Gaussian
/// noise. Each layer's masked rows are kept from forward to backward; the noise is regenerated.
/// </summary>
public sealed class NoiseTerm : IDisposable
{
    private readonly Device device;
    private readonly LossScalars scalars;
    private readonly MmdPlan plan;
    private readonly Indices rowCapacity;
    private readonly Tensor[] saved;
    private readonly Tensor[] coefficients;
    private readonly Tensor dRows;
    private readonly int firstLayer;
    private readonly int firstSlot;
    private readonly double beta;
    private Func<int, NoiseSource>? source;

    /// <param name="model">The decoder.</param>
    /// <param name="scalars">Takes one MMD for each layer of the range.</param>
    /// <param name="maxPairs">Most pairs of a micro-batch.</param>
    /// <param name="maxRows">Most masked rows of a micro-batch.</param>
    /// <param name="layers">First and last layer of the range, inclusive.</param>
    /// <param name="beta">Weight of the term.</param>
    public NoiseTerm(Transformer model, LossScalars scalars, int maxPairs, int maxRows, (int First, int Last) layers, double beta)
    {
        (this.scalars, this.beta) = (scalars, beta);
        device = model.Weights.Device;
        firstLayer = layers.First;
        int count = layers.Last - layers.First + 1, c = model.Config.HiddenSize;
        firstSlot = scalars.Reserve(count);
        plan = new MmdPlan(device, maxPairs, maxRows);
        rowCapacity = device.AllocateIndices(maxRows, MemoryCategory.Batch);
        saved = [.. Enumerable.Range(0, count).Select(_ => device.AllocateTensor(BufferKind.Compute, maxRows, c, MemoryCategory.Noise))];
        coefficients = [.. Enumerable.Range(0, count).Select(
            _ => device.AllocateTensor(BufferKind.Scalar, 1, 2 * maxPairs * maxPairs, MemoryCategory.Noise))];
        dRows = device.AllocateTensor(BufferKind.Compute, maxRows, c, MemoryCategory.Noise);
    }

    /// <summary>Number of layers in the range.</summary>
    public int LayerCount => saved.Length;

    /// <summary>The mean MMD at the last download.</summary>
    public double Value
    {
        get
        {
            double sum = 0;
            for (int i = 0; i < LayerCount; i++) sum += scalars[firstSlot + i];
            return sum / LayerCount;
        }
    }

    /// <summary>The MMD of each layer of the range at the last download.</summary>
    public void LayerValues(Span<double> target)
    {
        for (int i = 0; i < LayerCount; i++) target[i] = scalars[firstSlot + i];
    }

    private Indices Rows => rowCapacity.Range(0, plan.RowCount);

    public bool Covers(int layer) => layer >= firstLayer && layer < firstLayer + LayerCount;

    /// <summary>Takes a batch's masked rows and where the noise of each layer comes from.</summary>
    public void Load(PackedBatch packed, Func<int, NoiseSource> noise)
    {
        source = noise;
        plan.Load(packed.MmdPairs.AsSpan(0, packed.MmdCount), packed.MmdPositions.AsSpan(0, packed.MmdCount),
            packed.PairIndex.AsSpan(0, packed.PairCount));
        device.Upload(packed.MmdRows.AsSpan(0, packed.MmdCount), Rows);
    }

    /// <summary>Keeps a layer's masked rows and computes its MMD.</summary>
    public void OnMlpOutput(int layer, Tensor mlp)
    {
        if (!Covers(layer)) return;
        var x = Saved(layer);
        device.GatherRows(x, mlp, Rows);
        device.MmdGaussianForward(scalars.Slots(firstSlot + layer - firstLayer, 1), Coefficients(layer), x, plan, Noise(layer));
    }

    /// <summary>Adds beta / layers times the MMD's gradient to a layer's MLP output gradient.</summary>
    public void AddMlpGradient(int layer, Tensor dMlp)
    {
        var d = dRows.RowRange(0, plan.RowCount);
        device.MmdGaussianBackward(d, Coefficients(layer), Saved(layer), plan, Noise(layer), beta / LayerCount);
        device.ScatterAddRows(dMlp, d, Rows);
    }

    public void Dispose()
    {
        foreach (var tensor in saved.Concat(coefficients)) tensor.Buffer.Dispose();
        dRows.Buffer.Dispose();
        rowCapacity.Buffer.Dispose();
        plan.Dispose();
    }

    private NoiseSource Noise(int layer) => source!(layer);

    private Tensor Saved(int layer) => saved[layer - firstLayer].RowRange(0, plan.RowCount);

    private Tensor Coefficients(int layer) =>
        Tensor.Of(coefficients[layer - firstLayer].Buffer, plan.PairCount, 2 * plan.PairCount);
}
