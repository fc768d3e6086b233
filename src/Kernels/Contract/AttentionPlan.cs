namespace RepNoise.Kernels;

/// <summary>
/// A run of query rows and the keys that it may see: the context's rows first, then its own. Keys lie at consecutive
/// positions from <see cref="FirstPosition"/> on. Query rows past the last own key are pads: they query and are no key.
/// </summary>
public readonly record struct AttentionSegment
{
    /// <summary>First row in q, output and lse.</summary>
    public required int QueryRow { get; init; }

    /// <summary>Number of query rows.</summary>
    public required int QueryCount { get; init; }

    /// <summary>First own key, a row of k and v.</summary>
    public required int KeyRow { get; init; }

    /// <summary>Number of own keys.</summary>
    public required int KeyCount { get; init; }

    /// <summary>First key of the context, a row of k and v.</summary>
    public int ContextRow { get; init; }

    /// <summary>Number of keys in the context; 0 for a plain sequence.</summary>
    public int ContextCount { get; init; }

    /// <summary>Position of the first visible key, the context counted.</summary>
    public int FirstPosition { get; init; }

    /// <summary>All keys that the segment may see.</summary>
    public int VisibleCount => ContextCount + KeyCount;
}

/// <summary>Head layout and scale of an attention.</summary>
/// <param name="Heads">NH.</param>
/// <param name="KeyValueHeads">NKV; divides NH, head h reads key/value head h / (NH / NKV).</param>
/// <param name="HeadSize">HS.</param>
/// <param name="Window">Visible keys per query, its own position counted; null for all earlier ones.</param>
public readonly record struct AttentionShape(int Heads, int KeyValueHeads, int HeadSize, int? Window)
{
    /// <summary>Scores are scaled by 1 / sqrt(HS).</summary>
    public double Scale => 1 / Math.Sqrt(HeadSize);

    /// <summary>Query heads that share a key/value head.</summary>
    public int GroupSize => Heads / KeyValueHeads;
}

/// <summary>
/// Which keys every query row of a batch sees: segments and positions, checked once and kept on host and device. Key j of a
/// segment is visible to a query at position p when <c>0 &lt;= p - (FirstPosition + j) &lt; window</c>.
/// <para>Segments that share key rows form a <em>family</em>; a family's key gradients are summed in the order of its
/// segments, so families are the units that a backward may run side by side.</para>
/// Storage has a fixed capacity and is refilled for each batch.
/// </summary>
public sealed class AttentionPlan : IDisposable
{
    /// <summary>int32 values per segment in <see cref="DeviceSegments"/>: the seven fields in order, then the family.</summary>
    public const int SegmentWords = 8;

    private readonly Device device;
    private readonly AttentionSegment[] segments;
    private readonly int[] families;
    private readonly int[] positions;
    private readonly int[] familyStart;
    private readonly int[] words;
    private int segmentCount;
    private int positionCount;

    /// <param name="device">Where the device copies live.</param>
    /// <param name="maxSegments">Most segments of any batch.</param>
    /// <param name="maxQueryRows">Most query rows of any batch.</param>
    public AttentionPlan(Device device, int maxSegments, int maxQueryRows)
    {
        this.device = device;
        segments = new AttentionSegment[maxSegments];
        families = new int[maxSegments];
        familyStart = new int[maxSegments + 1];
        words = new int[maxSegments * SegmentWords];
        positions = new int[maxQueryRows];
        DeviceSegmentCapacity = device.AllocateIndices(maxSegments * SegmentWords, MemoryCategory.Batch);
        DevicePositionCapacity = device.AllocateIndices(maxQueryRows, MemoryCategory.Batch);
    }

    public ReadOnlySpan<AttentionSegment> Segments => segments.AsSpan(0, segmentCount);

    /// <summary>Position of each query row.</summary>
    public ReadOnlySpan<int> Positions => positions.AsSpan(0, positionCount);

    /// <summary>Number of families; they are consecutive runs of segments.</summary>
    public int FamilyCount { get; private set; }

    /// <summary>Positions on the device, for <see cref="Device.Rotary"/> as well.</summary>
    public Indices DevicePositions => DevicePositionCapacity.Range(0, positionCount);

    /// <summary>Segments on the device, <see cref="SegmentWords"/> values each.</summary>
    public Indices DeviceSegments => DeviceSegmentCapacity.Range(0, segmentCount * SegmentWords);

    /// <summary>Rows of q that the segments cover; rows of k and v that they refer to.</summary>
    public int QueryRows => positionCount;

    /// <summary>Most query rows of any batch.</summary>
    public int MaxQueryRows => positions.Length;

    /// <summary>One past the largest row of k and v that any segment refers to.</summary>
    public int KeyRows { get; private set; }

    private Indices DeviceSegmentCapacity { get; }

    private Indices DevicePositionCapacity { get; }

    /// <summary>Segments of one family.</summary>
    public ReadOnlySpan<AttentionSegment> Family(int family) =>
        segments.AsSpan(familyStart[family], familyStart[family + 1] - familyStart[family]);

    /// <summary>Takes a batch's segments and positions; refuses what no attention could mean.</summary>
    /// <param name="batch">Segments, those that share key rows next to each other; query runs cover rows 0 to N - 1 in order.</param>
    /// <param name="rowPositions">Position of each query row, ascending within a segment.</param>
    /// <exception cref="ShapeException">Query rows not covered in order, over capacity, or key rows shared across families.</exception>
    public void Load(ReadOnlySpan<AttentionSegment> batch, ReadOnlySpan<int> rowPositions)
    {
        Check.That(batch.Length <= segments.Length && rowPositions.Length <= positions.Length, nameof(AttentionPlan),
            $"{batch.Length} segments and {rowPositions.Length} rows", $"at most {segments.Length} and {positions.Length}");
        batch.CopyTo(segments);
        rowPositions.CopyTo(positions);
        (segmentCount, positionCount) = (batch.Length, rowPositions.Length);
        CheckQueries();
        FindFamilies();
        device.Upload(words.AsSpan(0, segmentCount * SegmentWords), DeviceSegments);
        device.Upload(Positions, DevicePositions);
    }

    /// <summary>First and last visible key (inclusive, in the joint order context then own) of a query at a position.</summary>
    public static (int First, int Last) Visible(in AttentionSegment segment, int position, int? window)
    {
        int last = Math.Min(position - segment.FirstPosition, segment.VisibleCount - 1);
        int first = window is { } w ? Math.Max(0, position - w + 1 - segment.FirstPosition) : 0;
        return (first, last);
    }

    /// <summary>Row of k and v of a segment's joint key.</summary>
    public static int KeyRowOf(in AttentionSegment segment, int key) =>
        key < segment.ContextCount ? segment.ContextRow + key : segment.KeyRow + key - segment.ContextCount;

    /// <summary>Query-key pairs that a window leaves visible: what the FLOPs of an attention count.</summary>
    public long VisiblePairs(int? window)
    {
        long pairs = 0;
        foreach (var segment in Segments)
        {
            for (int i = 0; i < segment.QueryCount; i++)
            {
                var (first, last) = Visible(segment, positions[segment.QueryRow + i], window);
                pairs += Math.Max(0, last - first + 1);
            }
        }

        return pairs;
    }

    /// <summary>The first query row that sees no key under a window, or -1. The attention refuses such a plan.</summary>
    public int FirstBlindRow(int? window)
    {
        foreach (var segment in Segments)
        {
            for (int i = 0; i < segment.QueryCount; i++)
            {
                var (first, last) = Visible(segment, positions[segment.QueryRow + i], window);
                if (last < first) return segment.QueryRow + i;
            }
        }

        return -1;
    }

    public void Dispose()
    {
        DeviceSegmentCapacity.Buffer.Dispose();
        DevicePositionCapacity.Buffer.Dispose();
    }

    private void CheckQueries()
    {
        int row = 0;
        foreach (var s in Segments)
        {
            Check.That(s.QueryRow == row && s.QueryCount >= 0 && s.QueryCount <= positionCount - row, nameof(AttentionPlan),
                $"a segment queries rows {s.QueryRow} to {s.QueryRow + s.QueryCount}", $"runs that cover 0 to {positionCount} in order");
            Check.That(s.KeyRow >= 0 && s.KeyCount >= 0 && s.ContextRow >= 0 && s.ContextCount >= 0, nameof(AttentionPlan),
                $"a segment with keys {s.KeyRow} + {s.KeyCount}, context {s.ContextRow} + {s.ContextCount}", "no negative value");
            row += s.QueryCount;
        }

        Check.That(row == positionCount, nameof(AttentionPlan), $"segments cover {row} rows", $"{positionCount}");
    }

    /// <summary>A segment joins the family before it when it reads key rows that the family reads; families never meet otherwise.</summary>
    private void FindFamilies()
    {
        int familyLow = 0, familyHigh = 0;
        FamilyCount = 0;
        KeyRows = 0;
        for (int i = 0; i < segmentCount; i++)
        {
            var s = segments[i];
            int low = Math.Min(s.KeyCount > 0 ? s.KeyRow : int.MaxValue, s.ContextCount > 0 ? s.ContextRow : int.MaxValue);
            int high = Math.Max(s.KeyCount > 0 ? s.KeyRow + s.KeyCount : 0, s.ContextCount > 0 ? s.ContextRow + s.ContextCount : 0);
            bool joins = i > 0 && low < familyHigh;
            Check.That(!joins || low >= familyLow, nameof(AttentionPlan), $"segment {i} reads key rows from {low}",
                $"rows of its own or of the family before it, which starts at {familyLow}");
            if (!joins)
            {
                familyStart[FamilyCount++] = i;
                familyLow = low == int.MaxValue ? familyHigh : low;
            }

            familyHigh = Math.Max(familyHigh, high);
            families[i] = FamilyCount - 1;
            KeyRows = Math.Max(KeyRows, high);
            ReadOnlySpan<int> fields =
                [s.QueryRow, s.QueryCount, s.KeyRow, s.KeyCount, s.ContextRow, s.ContextCount, s.FirstPosition, families[i]];
            fields.CopyTo(words.AsSpan(i * SegmentWords));
        }

        familyStart[FamilyCount] = segmentCount;
    }
}
