using RepNoise.Host.Data;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// Entries of the lens on the device, of all depths 0..L in one list: each of a <see cref="TargetList"/> at depths above 0, and at depth 0,
/// where a row is its token's embedding, each distinct one with its number. A vocabulary's worth of products is saved by each repetition.
/// </summary>
public sealed class LensRows : IDisposable
{
    private readonly Device device;
    private readonly int depths;
    private readonly EntryRows entries;
    private readonly DistinctTargets distinct;
    private readonly int[] allTargets;
    private readonly int[] allRepeats;
    private readonly Indices distinctRows;
    private readonly Indices targets;
    private readonly Indices repeats;

    /// <param name="device">Where the lists live.</param>
    /// <param name="capacity">Most entries of a depth in any batch.</param>
    /// <param name="depths">L + 1.</param>
    public LensRows(Device device, int capacity, int depths)
    {
        (this.device, this.depths) = (device, depths);
        entries = new EntryRows(device, capacity);
        distinct = new DistinctTargets(capacity);
        (allTargets, allRepeats) = (new int[depths * capacity], new int[depths * capacity]);
        distinctRows = device.AllocateIndices(capacity, MemoryCategory.Batch);
        targets = device.AllocateIndices(depths * capacity, MemoryCategory.Batch);
        repeats = device.AllocateIndices(depths * capacity, MemoryCategory.Batch);
    }

    /// <summary>R, entries of all depths together.</summary>
    public int Length => distinct.Length + (depths - 1) * entries.Length;

    /// <summary>Counted targets of a depth, those without logits too.</summary>
    public int Count => entries.Count;

    /// <summary>R target ids, depth after depth.</summary>
    public Indices Targets => targets.Range(0, Length);

    /// <summary>How many entries each of the R stands for.</summary>
    public Indices Repeats => repeats.Range(0, Length);

    /// <summary>Row numbers of a depth's entries.</summary>
    public Indices Rows(int depth) => depth == 0 ? distinctRows.Range(0, distinct.Length) : entries.Rows;

    /// <summary>The rows of a matrix of all entries that are a depth's.</summary>
    public Tensor Depth(Tensor all, int depth) => all.RowRange(Start(depth), Rows(depth).Count);

    /// <summary>result (1, 1) = mean over a depth's counted targets of the <paramref name="losses"/> (1, R) of all depths.</summary>
    public void Mean(Tensor result, Tensor losses, int depth, int vocabulary) =>
        entries.Mean(result, losses.ColumnRange(Start(depth), Rows(depth).Count), vocabulary);

    /// <summary>Takes a batch's entries.</summary>
    /// <param name="list">The entries of each depth.</param>
    /// <param name="ids">Token ids of the batch's rows.</param>
    public void Load(TargetList list, ReadOnlySpan<int> ids)
    {
        entries.Load(list);
        distinct.Load(list, ids);
        distinct.Targets.CopyTo(allTargets);
        distinct.Repeats.CopyTo(allRepeats);
        for (int depth = 1; depth < depths; depth++) list.Targets.CopyTo(allTargets.AsSpan(Start(depth)));
        allRepeats.AsSpan(distinct.Length, Length - distinct.Length).Fill(1);
        device.Upload(distinct.Rows, Rows(0));
        device.Upload(allTargets.AsSpan(0, Length), Targets);
        device.Upload(allRepeats.AsSpan(0, Length), Repeats);
    }

    public void Dispose()
    {
        entries.Dispose();
        distinctRows.Buffer.Dispose();
        targets.Buffer.Dispose();
        repeats.Buffer.Dispose();
    }

    private int Start(int depth) => depth == 0 ? 0 : distinct.Length + (depth - 1) * entries.Length;
}
