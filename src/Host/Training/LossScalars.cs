using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// The scalars of a step, side by side on the device: loss terms and norms that operations write while the step runs, and that
/// the host reads once at its end. Each micro-batch of a step has a row of its own.
/// </summary>
public sealed class LossScalars : IDisposable
{
    private readonly Device device;
    private readonly Tensor tensor;
    private readonly double[] values;
    private int used;
    private int row;

    /// <param name="device">Where the scalars live.</param>
    /// <param name="capacity">Most slots that will be reserved.</param>
    /// <param name="rows">Most micro-batches between two downloads.</param>
    public LossScalars(Device device, int capacity, int rows = 1)
    {
        this.device = device;
        tensor = device.AllocateTensor(BufferKind.Scalar, rows, capacity, MemoryCategory.Workspace);
        values = new double[rows * capacity];
    }

    /// <summary>The micro-batch whose slots are written and read from now on.</summary>
    public int Row
    {
        get => row;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(Row));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(value, tensor.Rows, nameof(Row));
            row = value;
        }
    }

    /// <summary>Sets aside consecutive slots.</summary>
    /// <returns>Index of the first.</returns>
    public int Reserve(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(used + count, tensor.Columns, nameof(count));
        used += count;
        return used - count;
    }

    /// <summary>Slots of the current row as a (1, count) tensor for operations.</summary>
    public Tensor Slots(int first, int count) => tensor.RowRange(row, 1).ColumnRange(first, count);

    /// <summary>Sets every slot of the current row to zero.</summary>
    public void Clear() => device.Fill(tensor.RowRange(row, 1), 0);

    /// <summary>Reads the slots of all rows back: the one synchronisation of a step.</summary>
    public void Download() => device.Download(tensor, values);

    /// <summary>A slot's value in the current row at the last download.</summary>
    public double this[int slot] => values[row * tensor.Columns + slot];

    public void Dispose() => tensor.Buffer.Dispose();
}
