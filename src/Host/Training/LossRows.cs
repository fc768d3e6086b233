using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// A cross-entropy term of a batch: entries (row of the packed batch, target id) of equal weight 1 / count, and how many counted
/// targets have no logits (they cost ln V and have no gradient).
/// </summary>
public readonly ref struct LossList
{
    /// <summary>Row of each entry; a row may occur more than once.</summary>
    public required ReadOnlySpan<int> Rows { get; init; }

    /// <summary>Target id of each entry.</summary>
    public required ReadOnlySpan<int> Targets { get; init; }

    /// <summary>Targets without logits.</summary>
    public int ConstantCount { get; init; }

    /// <summary>All counted targets: the divisor of the mean.</summary>
    public int Count => Rows.Length + ConstantCount;
}

/// <summary>A <see cref="LossList"/> on the device; storage of fixed capacity, refilled for each batch.</summary>
public sealed class LossRows : IDisposable
{
    private readonly Device device;
    private readonly Indices rows;
    private readonly Indices targets;
    private readonly int copies;

    /// <param name="device">Where the lists live.</param>
    /// <param name="capacity">Most entries of any batch.</param>
    /// <param name="copies">How often the targets are repeated: once for each depth that reads the same rows.</param>
    public LossRows(Device device, int capacity, int copies = 1)
    {
        this.device = device;
        this.copies = copies;
        rows = device.AllocateIndices(capacity, "batch");
        targets = device.AllocateIndices(capacity * copies, "batch");
    }

    /// <summary>R, entries of the batch.</summary>
    public int Length { get; private set; }

    /// <summary>Counted targets, those without logits too.</summary>
    public int Count { get; private set; }

    public int ConstantCount { get; private set; }

    /// <summary>R row numbers.</summary>
    public Indices Rows => rows.Range(0, Length);

    /// <summary>R target ids, repeated for each copy.</summary>
    public Indices Targets => targets.Range(0, Length * copies);

    public void Load(in LossList list)
    {
        (Length, Count, ConstantCount) = (list.Rows.Length, list.Count, list.ConstantCount);
        device.Upload(list.Rows, Rows);
        for (int copy = 0; copy < copies; copy++) device.Upload(list.Targets, targets.Range(copy * Length, Length));
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
