namespace RepNoise.Kernels;

/// <summary>
/// Which rows enter an MMD and where they stand: entry r is row r of a compact matrix x (R, C), belongs to pair
/// <c>Pairs[r]</c> of the micro-batch and stands at padded position <c>Positions[r]</c>. Entries are sorted by position, then
/// pair, so that rows of one position, which are compared with each other, lie side by side. Where a pair has no entry at a
/// position its vector is zero there.
/// Storage has a fixed capacity and is refilled for each batch.
/// </summary>
public sealed class MmdPlan : IDisposable
{
    private readonly Device device;
    private readonly int[] pairs;
    private readonly int[] positions;
    private readonly int[] positionStart;
    private readonly int[] pairIds;

    /// <param name="device">Where the device copies and the scratch live.</param>
    /// <param name="maxPairs">Most pairs of any micro-batch.</param>
    /// <param name="maxRows">Most entries of any micro-batch.</param>
    public MmdPlan(Device device, int maxPairs, int maxRows)
    {
        this.device = device;
        pairs = new int[maxRows];
        positions = new int[maxRows];
        positionStart = new int[maxRows + 1];
        pairIds = new int[maxPairs];
        PairCapacity = device.AllocateIndices(maxRows, MemoryCategory.Batch);
        PositionCapacity = device.AllocateIndices(maxRows, MemoryCategory.Batch);
        PairIdCapacity = device.AllocateIndices(maxPairs, MemoryCategory.Batch);
        Scratch = device.Allocate(BufferKind.Scalar, device.MmdScratchLength(maxPairs, maxRows), MemoryCategory.Noise);
    }

    /// <summary>B.</summary>
    public int PairCount { get; private set; }

    /// <summary>R.</summary>
    public int RowCount { get; private set; }

    /// <summary>Pair of each entry within the micro-batch, 0 to B - 1.</summary>
    public ReadOnlySpan<int> Pairs => pairs.AsSpan(0, RowCount);

    /// <summary>Padded position of each entry.</summary>
    public ReadOnlySpan<int> Positions => positions.AsSpan(0, RowCount);

    /// <summary>Each pair's index in the data, the key of its noise.</summary>
    public ReadOnlySpan<int> PairIds => pairIds.AsSpan(0, PairCount);

    /// <summary>Number of distinct positions: the runs of <see cref="Run"/>.</summary>
    public int RunCount { get; private set; }

    public Indices DevicePairs => PairCapacity.Range(0, RowCount);

    public Indices DevicePositions => PositionCapacity.Range(0, RowCount);

    public Indices DevicePairIds => PairIdCapacity.Range(0, PairCount);

    /// <summary>Room for a device's partial sums; see <see cref="Device.MmdScratchLength"/>.</summary>
    public DeviceBuffer Scratch { get; }

    private Indices PairCapacity { get; }

    private Indices PositionCapacity { get; }

    private Indices PairIdCapacity { get; }

    /// <summary>First entry and number of entries of the i-th distinct position.</summary>
    public (int First, int Count) Run(int run) => (positionStart[run], positionStart[run + 1] - positionStart[run]);

    /// <summary>Takes a batch's entries.</summary>
    /// <exception cref="ShapeException">Over capacity, not sorted, or a pair out of range.</exception>
    public void Load(ReadOnlySpan<int> pair, ReadOnlySpan<int> position, ReadOnlySpan<int> ids)
    {
        Check.That(pair.Length == position.Length && pair.Length <= pairs.Length && ids.Length <= pairIds.Length, nameof(MmdPlan),
            $"{pair.Length} entries of {ids.Length} pairs", $"at most {pairs.Length} of {pairIds.Length}");
        pair.CopyTo(pairs);
        position.CopyTo(positions);
        ids.CopyTo(pairIds);
        (RowCount, PairCount, RunCount) = (pair.Length, ids.Length, 0);
        for (int r = 0; r < RowCount; r++)
        {
            bool sameRun = r > 0 && position[r] == position[r - 1];
            Check.That(pair[r] >= 0 && pair[r] < PairCount && position[r] >= 0 && (r == 0 || position[r] > position[r - 1] ||
                (sameRun && pair[r] > pair[r - 1])), nameof(MmdPlan), $"entry {r} is pair {pair[r]} at {position[r]}",
                "entries sorted by position, then pair, without repeats");
            if (!sameRun) positionStart[RunCount++] = r;
        }

        positionStart[RunCount] = RowCount;
        device.Upload(Pairs, DevicePairs);
        device.Upload(Positions, DevicePositions);
        device.Upload(PairIds, DevicePairIds);
    }

    public void Dispose()
    {
        PairCapacity.Buffer.Dispose();
        PositionCapacity.Buffer.Dispose();
        PairIdCapacity.Buffer.Dispose();
        Scratch.Dispose();
    }
}
