namespace RepNoise.Host.Tokenizers;

/// <summary>A stretch of a piece, in units relative to it: a match of a pattern, or the gap between two.</summary>
internal readonly record struct Segment(int Start, int End, bool IsMatch)
{
    public static void Invert(List<Segment> segments)
    {
        for (int i = 0; i < segments.Count; i++)
            segments[i] = segments[i] with { IsMatch = !segments[i].IsMatch };
    }
}

/// <summary>What becomes of the matches of a Split, under the names tokenizer.json gives them.</summary>
internal enum SplitBehavior
{
    /// <summary>Matches are dropped.</summary>
    Removed,

    /// <summary>Every match is a piece of its own.</summary>
    Isolated,

    /// <summary>A match joins the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>A match joins the piece after it.</summary>
    MergedWithNext,

    /// <summary>Neighbouring matches form one piece.</summary>
    Contiguous,
}

internal static class SplitBehaviors
{
    public static SplitBehavior Read(JsonView value) => value.AsString() switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        var other => throw value.Unsupported(
            $"the behavior {JsonView.Quote(other)}", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"),
    };

    /// <summary>Turns matches and gaps, in order and without holes, into the pieces that remain.</summary>
    public static void Apply(this SplitBehavior behavior, List<Segment> segments)
    {
        switch (behavior)
        {
            case SplitBehavior.Isolated:
                return;
            case SplitBehavior.Removed:
                segments.RemoveAll(segment => segment.IsMatch);
                return;
            case SplitBehavior.MergedWithNext:
                segments.Reverse();
                Merge(segments, JoinsNeighbour);
                segments.Reverse();
                return;
            case SplitBehavior.MergedWithPrevious:
                Merge(segments, JoinsNeighbour);
                return;
            case SplitBehavior.Contiguous:
                Merge(segments, (isMatch, previousIsMatch) => isMatch == previousIsMatch);
                return;
            default:
                throw new ArgumentOutOfRangeException(nameof(behavior));
        }
    }

    /// <summary>A match joins the gap seen before it, but a second match in a row stands alone.</summary>
    private static bool JoinsNeighbour(bool isMatch, bool previousIsMatch) => isMatch && !previousIsMatch;

    private static void Merge(List<Segment> segments, Func<bool, bool, bool> joins)
    {
        int kept = 0;
        bool previousIsMatch = false;
        foreach (var segment in segments.ToArray())
        {
            if (joins(segment.IsMatch, previousIsMatch) && kept > 0)
            {
                var last = segments[kept - 1];
                segments[kept - 1] = last with
                {
                    Start = Math.Min(last.Start, segment.Start),
                    End = Math.Max(last.End, segment.End),
                };
            }
            else
            {
                segments[kept++] = segment;
            }
            previousIsMatch = segment.IsMatch;
        }
        segments.RemoveRange(kept, segments.Count - kept);
    }
}
