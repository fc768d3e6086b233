using RepNoise.Host.Data;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>Where the entries of a <see cref="TargetList"/> are, on the device, and the mean of their losses; storage of fixed capacity, refilled for each batch.</summary>
/// <param name="device">Where the list lives.</param>
/// <param name="capacity">Most entries of any batch.</param>
public sealed class EntryRows(Device device, int capacity) : IDisposable
{
    private readonly Indices rows = device.AllocateIndices(capacity, MemoryCategory.Batch);
    private int constants;

    /// <summary>R, entries of the batch.</summary>
    public int Length { get; private set; }

    /// <summary>Counted targets, those without logits too.</summary>
    public int Count { get; private set; }

    /// <summary>R row numbers.</summary>
    public Indices Rows => rows.Range(0, Length);

    public void Load(TargetList list)
    {
        (Length, Count, constants) = (list.Length, list.Count, list.ConstantCount);
        device.Upload(list.Rows, Rows);
    }

    /// <summary>result (1, 1) = mean over counted targets of <paramref name="losses"/> (1, R), ln V for those without logits.</summary>
    public void Mean(Tensor result, Tensor losses, int vocabulary) =>
        device.SumInto(result, losses, 1.0 / Math.Max(1, Count), constants * Math.Log(vocabulary) / Math.Max(1, Count));

    public void Dispose() => rows.Buffer.Dispose();
}
