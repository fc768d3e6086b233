using RepNoise.Host.Data;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>A <see cref="TargetList"/> on the device; storage of fixed capacity, refilled for each batch.</summary>
public sealed class LossRows : IDisposable
{
    private readonly Device device;
    private readonly Indices rows;
    private readonly Indices targets;

    /// <param name="device">Where the lists live.</param>
    /// <param name="capacity">Most entries of any batch.</param>
    public LossRows(Device device, int capacity)
    {
        this.device = device;
        rows = device.AllocateIndices(capacity, MemoryCategory.Batch);
        targets = device.AllocateIndices(capacity, MemoryCategory.Batch);
    }

    /// <summary>R, entries of the batch.</summary>
    public int Length { get; private set; }

    /// <summary>Counted targets, those without logits too.</summary>
    public int Count { get; private set; }

    public int ConstantCount { get; private set; }

    /// <summary>R row numbers.</summary>
    public Indices Rows => rows.Range(0, Length);

    /// <summary>R target ids.</summary>
    public Indices Targets => targets.Range(0, Length);

    public void Load(TargetList list)
    {
        (Length, Count, ConstantCount) = (list.Length, list.Count, list.ConstantCount);
        device.Upload(list.Rows, Rows);
        device.Upload(list.Targets, Targets);
    }

    /// <summary>result (1, 1) = mean over counted targets of <paramref name="losses"/> (1, R), ln V for those without logits.</summary>
    public void Mean(Tensor result, Tensor losses, int vocabulary) =>
        device.SumInto(result, losses, 1.0 / Math.Max(1, Count), ConstantCount * Math.Log(vocabulary) / Math.Max(1, Count));

    public void Dispose()
    {
        rows.Buffer.Dispose();
        targets.Buffer.Dispose();
    }
}
