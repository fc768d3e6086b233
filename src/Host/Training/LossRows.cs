using RepNoise.Host.Data;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>A <see cref="TargetList"/> on the device, rows and targets; storage of fixed capacity, refilled for each batch.</summary>
/// <param name="device">Where the lists live.</param>
/// <param name="capacity">Most entries of any batch.</param>
public sealed class LossRows(Device device, int capacity) : IDisposable
{
    private readonly EntryRows entries = new(device, capacity);
    private readonly Indices targets = device.AllocateIndices(capacity, MemoryCategory.Batch);

    /// <inheritdoc cref="EntryRows.Length"/>
    public int Length => entries.Length;

    /// <inheritdoc cref="EntryRows.Count"/>
    public int Count => entries.Count;

    /// <inheritdoc cref="EntryRows.Rows"/>
    public Indices Rows => entries.Rows;

    /// <summary>R target ids.</summary>
    public Indices Targets => targets.Range(0, Length);

    public void Load(TargetList list)
    {
        entries.Load(list);
        device.Upload(list.Targets, Targets);
    }

    /// <inheritdoc cref="EntryRows.Mean"/>
    public void Mean(Tensor result, Tensor losses, int vocabulary) => entries.Mean(result, losses, vocabulary);

    public void Dispose()
    {
        entries.Dispose();
        targets.Buffer.Dispose();
    }
}
