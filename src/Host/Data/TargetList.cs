namespace RepNoise.Host.Data;

/// <summary>
/// The terms of one mean cross-entropy: the logits of <see cref="Rows"/>[i] predict <see cref="Targets"/>[i], each with weight
/// 1 / <see cref="Count"/>. A row may stand in several lists. <see cref="ConstantCount"/> targets have no row: their logits count as zeros
/// and each costs ln V / <see cref="Count"/> without a gradient.
/// </summary>
/// <param name="capacity">Most entries.</param>
public sealed class TargetList(int capacity)
{
    private readonly int[] rows = new int[capacity];
    private readonly int[] targets = new int[capacity];

    /// <summary>Entries with logits.</summary>
    public int Length { get; private set; }

    /// <summary>Counted targets that cost the constant ln V.</summary>
    public int ConstantCount { get; private set; }

    /// <summary>Counted targets, the mean's denominator.</summary>
    public int Count => Length + ConstantCount;

    /// <summary>(Length) rows of the batch.</summary>
    public ReadOnlySpan<int> Rows => rows.AsSpan(0, Length);

    /// <summary>(Length) target ids.</summary>
    public ReadOnlySpan<int> Targets => targets.AsSpan(0, Length);

    /// <summary>The rows as an array whose first <see cref="Length"/> elements count, for callers that pin or copy.</summary>
    public int[] RowArray => rows;

    /// <summary>The targets as an array whose first <see cref="Length"/> elements count.</summary>
    public int[] TargetArray => targets;

    internal void Clear() => (Length, ConstantCount) = (0, 0);

    internal void Add(int row, int target)
    {
        rows[Length] = row;
        targets[Length++] = target;
    }

    internal void AddConstant() => ConstantCount++;
}
