using RepNoise.Kernels;

namespace RepNoise.Host.Evaluation.Scoring;

/// <summary>
/// Rows, segments and targets of a forward pass that scores sequences. Sequences of a group share the beginning that all of
/// them have: its rows run once, and each sequence's own rows have them as context.
/// </summary>
internal sealed class ScoringBatch
{
    public List<int> Ids { get; } = [];

    public List<int> Positions { get; } = [];

    public List<AttentionSegment> Segments { get; } = [];

    /// <summary>Row that predicts each target, and the target.</summary>
    public List<int> TargetRows { get; } = [];

    public List<int> Targets { get; } = [];

    /// <summary>Number of targets of each sequence, in the order of adding.</summary>
    public List<int> Counts { get; } = [];

    /// <summary>Rows that a group takes.</summary>
    public static int RowsOf(IReadOnlyList<TokenSequence> group)
    {
        int shared = Shared(group);
        return shared + group.Sum(sequence => sequence.Ids.Length - 1 - shared);
    }

    public void Clear()
    {
        Ids.Clear();
        Positions.Clear();
        Segments.Clear();
        TargetRows.Clear();
        Targets.Clear();
        Counts.Clear();
    }

    public void Add(IReadOnlyList<TokenSequence> group)
    {
        int shared = Shared(group), contextRow = Ids.Count;
        if (shared > 0) AddRun(group[0].Ids.AsSpan(0, shared), 0, contextRow, 0);
        foreach (var sequence in group)
        {
            int ownRow = Ids.Count;
            AddRun(sequence.Ids.AsSpan(shared, sequence.Ids.Length - 1 - shared), shared, contextRow, shared);
            for (int target = sequence.FirstTarget; target < sequence.Ids.Length; target++)
            {
                int at = target - 1;
                TargetRows.Add(at < shared ? contextRow + at : ownRow + at - shared);
                Targets.Add(sequence.Ids[target]);
            }

            Counts.Add(sequence.Targets);
        }
    }

    /// <summary>Fills rows and targets up to numbers from which on results do not depend on the batch; nobody reads what is added.</summary>
    public void PadTo(int rows)
    {
        int pads = rows - Ids.Count;
        if (pads > 0)
        {
            Segments.Add(Segments[^1] with { QueryRow = Ids.Count, QueryCount = pads });
            Ids.AddRange(Enumerable.Repeat(Ids[^1], pads));
            Positions.AddRange(Enumerable.Repeat(Positions[^1], pads));
        }

        while (Targets.Count < rows)
        {
            TargetRows.Add(TargetRows[^1]);
            Targets.Add(Targets[^1]);
        }
    }

    /// <summary>Inputs that all sequences begin with; a sequence's last token is no input.</summary>
    private static int Shared(IReadOnlyList<TokenSequence> group)
    {
        if (group.Count < 2) return 0;
        int shared = group[0].Ids.Length - 1;
        foreach (var sequence in group.Skip(1))
            shared = Math.Min(sequence.Ids.Length - 1, sequence.Ids.AsSpan().CommonPrefixLength(group[0].Ids.AsSpan(0, shared)));
        return shared;
    }

    private void AddRun(ReadOnlySpan<int> ids, int firstPosition, int contextRow, int context)
    {
        if (ids.Length == 0) return;
        Segments.Add(new AttentionSegment
        {
            QueryRow = Ids.Count,
            QueryCount = ids.Length,
            KeyRow = Ids.Count,
            KeyCount = ids.Length,
            ContextRow = context > 0 ? contextRow : 0,
            ContextCount = context,
        });
        for (int i = 0; i < ids.Length; i++)
        {
            Ids.Add(ids[i]);
            Positions.Add(firstPosition + i);
        }
    }
}
