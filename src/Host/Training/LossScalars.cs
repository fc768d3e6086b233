using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// The scalars of a step, side by side on the device: loss terms and norms that operations write while the step runs, and that
/// the host reads once at its end.
/// </summary>
public sealed class LossScalars : IDisposable
{
    private readonly Device device;
    private readonly Tensor tensor;
    private readonly double[] values;
    private int used;

    /// <param name="device">Where the scalars live.</param>
    /// <param name="capacity">Most slots that will be reserved.</param>
    public LossScalars(Device device, int capacity)
    {
        this.device = device;
        tensor = device.AllocateTensor(BufferKind.Scalar, 1, capacity, MemoryCategory.Workspace);
        values = new double[capacity];
    }

    /// <summary>Sets aside consecutive slots.</summary>
    /// <returns>Index of the first.</returns>
    public int Reserve(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(used + count, values.Length, nameof(count));
        used += count;
        return used - count;
    }

    /// <summary>Slots as a (1, count) tensor for operations.</summary>
    public Tensor Slots(int first, int count) => tensor.ColumnRange(first, count);

    /// <summary>Sets every slot to zero.</summary>
    public void Clear() => device.Fill(tensor, 0);

    /// <summary>Reads all slots back: the one synchronisation of a micro-batch.</summary>
    public void Download() => device.Download(tensor, values);

    /// <summary>A slot's value at the last download.</summary>
    public double this[int slot] => values[slot];

    public void Dispose() => tensor.Buffer.Dispose();
}
