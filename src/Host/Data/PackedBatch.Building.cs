using System.Diagnostics;

namespace RepNoise.Host.Data;

/// <summary>How packers fill a batch: groups, then runs within them, then rows.</summary>
public sealed partial class PackedBatch
{
    internal void Clear(bool ownLens = false)
    {
        (RowCount, SegmentCount, GroupCount, PairCount, MmdCount, TokenCount) = (0, 0, 0, 0, 0, 0);
        Stability.Clear();
        AscentFinal.Clear();
        lens.Clear();
        NextToken.Clear();
        this.ownLens = ownLens;
    }

    internal int BeginGroup(string place)
    {
        places[GroupCount] = place;
        return GroupCount++;
    }

    internal int BeginPair(TokenPair pair)
    {
        PairIndex[PairCount] = pair.Index;
        BeginGroup(pair.Place);
        return PairCount++;
    }

    internal int AddRow(int id, int position)
    {
        Ids[RowCount] = id;
        Positions[RowCount] = position;
        return RowCount++;
    }

    /// <summary>Makes a segment of the rows since <paramref name="firstRow"/>, if there are any.</summary>
    /// <param name="firstRow">The run's first row.</param>
    /// <param name="keys">How many of them are real tokens.</param>
    /// <param name="contextRow">First row of the context.</param>
    /// <param name="context">Rows of the context, whose positions begin at 0 as the run's do without one.</param>
    internal void EndRun(int firstRow, int keys, int contextRow = 0, int context = 0)
    {
        int rows = RowCount - firstRow;
        if (rows == 0)
            return;
        Debug.Assert(keys + context > 0, "a packer refuses a run without keys");
        Segments[SegmentCount++] = new Segment
        {
            QueryRow = firstRow,
            QueryCount = rows,
            KeyRow = firstRow,
            KeyCount = keys,
            ContextRow = contextRow,
            ContextCount = context,
            FirstPosition = 0,
            Group = GroupCount - 1,
        };
    }

    internal void AddMmdRow(int row, int pair, int position)
    {
        MmdRows[MmdCount] = row;
        MmdPairs[MmdCount] = pair;
        MmdPositions[MmdCount++] = position;
    }
}
