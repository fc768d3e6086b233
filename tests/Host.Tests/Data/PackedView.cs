using RepNoise.Host.Data;

namespace RepNoise.Host.Tests.Data;

/// <summary>Reads a packed batch as an attention kernel does: by the segments' definition alone.</summary>
internal static class PackedView
{
    public static Segment SegmentOf(PackedBatch batch, int row) =>
        batch.Segments.Take(batch.SegmentCount).Single(s => row >= s.QueryRow && row < s.QueryRow + s.QueryCount);

    /// <summary>(position, id) of each key that a row sees, in order.</summary>
    public static (int, int)[] Visible(PackedBatch batch, int row)
    {
        var s = SegmentOf(batch, row);
        return Enumerable.Range(s.ContextRow, s.ContextCount).Concat(Enumerable.Range(s.KeyRow, s.KeyCount))
            .Select((keyRow, j) => (Position: s.FirstPosition + j, Id: batch.Ids[keyRow], KeyRow: keyRow))
            .Where(k => k.Position == batch.Positions[k.KeyRow] && k.Position <= batch.Positions[row])
            .Select(k => (k.Position, k.Id)).ToArray();
    }
}
