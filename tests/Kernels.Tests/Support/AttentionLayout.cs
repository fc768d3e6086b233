namespace RepNoise.Kernels.Tests.Support;

/// <summary>Segments, positions and key rows of an attention case.</summary>
public sealed record AttentionLayout(IReadOnlyList<AttentionSegment> Segments, IReadOnlyList<int> Positions, int KeyRows)
{
    /// <summary>Plain sequences, one after the other.</summary>
    public static AttentionLayout Sequences(params int[] lengths) => Join([.. lengths.Select(length => Pair(length, 0, 0))]);

    /// <summary>
    /// A shared prompt and two answers that see it, each with pads that query the tokens before them and are no key. Answers
    /// without rows are left out.
    /// </summary>
    public static AttentionLayout Pair(int prompt, int harmful, int harmless, int harmfulPads = 0, int harmlessPads = 0)
    {
        var segments = new List<AttentionSegment> { new() { QueryRow = 0, QueryCount = prompt, KeyRow = 0, KeyCount = prompt } };
        var positions = new List<int>(Enumerable.Range(0, prompt));
        foreach (var (keys, pads) in new[] { (harmful, harmfulPads), (harmless, harmlessPads) })
        {
            if (keys + pads == 0) continue;
            segments.Add(new AttentionSegment
            {
                QueryRow = positions.Count,
                QueryCount = keys + pads,
                KeyRow = positions.Count,
                KeyCount = keys,
                ContextRow = 0,
                ContextCount = prompt,
            });
            positions.AddRange(Enumerable.Range(prompt, keys + pads));
        }

        return new AttentionLayout(segments, positions, positions.Count);
    }

    /// <summary>New tokens at the end of sequences whose keys lie in a cache with room for more.</summary>
    /// <param name="newTokens">Query rows per sequence.</param>
    /// <param name="firstPosition">Position of each cache's first key.</param>
    /// <param name="capacity">Rows of a sequence's cache.</param>
    /// <param name="lengths">Keys in each cache, new tokens counted.</param>
    public static AttentionLayout Cache(int newTokens, int firstPosition, int capacity, params int[] lengths)
    {
        var segments = lengths.Select((length, i) => new AttentionSegment
        {
            QueryRow = i * newTokens,
            QueryCount = newTokens,
            KeyRow = i * capacity,
            KeyCount = length,
            FirstPosition = firstPosition,
        });
        var positions = lengths.SelectMany(length => Enumerable.Range(firstPosition + length - newTokens, newTokens));
        return new AttentionLayout([.. segments], [.. positions], lengths.Length * capacity);
    }

    /// <summary>Several layouts in one batch, rows one after the other.</summary>
    public static AttentionLayout Join(params AttentionLayout[] parts)
    {
        var segments = new List<AttentionSegment>();
        int queries = 0, keys = 0;
        foreach (var part in parts)
        {
            segments.AddRange(part.Segments.Select(s => s with
            {
                QueryRow = s.QueryRow + queries,
                KeyRow = s.KeyRow + keys,
                ContextRow = s.ContextRow + keys,
            }));
            queries += part.Positions.Count;
            keys += part.KeyRows;
        }

        return new AttentionLayout(segments, [.. parts.SelectMany(part => part.Positions)], keys);
    }

    /// <summary>The plan on a device.</summary>
    public AttentionPlan On(Device device)
    {
        var plan = new AttentionPlan(device, Segments.Count + 1, Positions.Count + 3);
        plan.Load([.. Segments], [.. Positions]);
        return plan;
    }
}
