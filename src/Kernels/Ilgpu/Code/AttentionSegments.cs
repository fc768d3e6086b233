using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>A segment as kernels read it; see <see cref="AttentionPlan.DeviceSegments"/>.</summary>
internal readonly struct DeviceSegment(ArrayView<int> words, int segment)
{
    public readonly int QueryRow = words[segment * AttentionPlan.SegmentWords];
    public readonly int QueryCount = words[segment * AttentionPlan.SegmentWords + 1];
    public readonly int KeyRow = words[segment * AttentionPlan.SegmentWords + 2];
    public readonly int KeyCount = words[segment * AttentionPlan.SegmentWords + 3];
    public readonly int ContextRow = words[segment * AttentionPlan.SegmentWords + 4];
    public readonly int ContextCount = words[segment * AttentionPlan.SegmentWords + 5];
    public readonly int FirstPosition = words[segment * AttentionPlan.SegmentWords + 6];

    public int VisibleCount => ContextCount + KeyCount;

    /// <summary>Rows of k and v by joint key: context, then own.</summary>
    public RowMap Keys => new(ContextCount, ContextRow, KeyRow);
}

/// <summary>The segments of a batch, and the one that a tile of query rows belongs to.</summary>
internal static class AttentionSegments
{
    /// <summary>
    /// Finds the segment of a tile, the tiles of all segments being numbered through. A linear search: a batch has a few dozen
    /// segments, and all threads walk alike.
    /// </summary>
    /// <param name="words">The plan's segments.</param>
    /// <param name="count">Number of segments.</param>
    /// <param name="tile">Number of the tile.</param>
    /// <param name="rows">Rows of a tile.</param>
    /// <param name="firstQuery">The tile's first query within the segment.</param>
    public static int Find(ArrayView<int> words, int count, int tile, int rows, out int firstQuery)
    {
        int segment = 0;
        firstQuery = 0;
        for (; segment < count; segment++)
        {
            int tiles = (words[segment * AttentionPlan.SegmentWords + 1] + rows - 1) / rows;
            if (tile < tiles) break;
            tile -= tiles;
        }

        firstQuery = tile * rows;
        return segment;
    }

    /// <summary>A key at <paramref name="distance"/> = query's position - key's is seen when it lies 0 to window - 1 back.</summary>
    public static bool Sees(int distance, int window) => distance >= 0 && distance < window;
}
