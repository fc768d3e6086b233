namespace RepNoise.Host.Evaluation;

/// <summary>
/// How much of a text is said again: 1 - distinct / all runs of four tokens (seq-rep-4 of Welleck et al., arXiv 1908.04319), 0 for
/// fewer than five tokens. A model that was broken says the same thing over and over.
/// </summary>
public static class Repetition
{
    private const int Length = 4;

    /// <summary>Texts above it count as disfluent: more than half of what they say was said before.</summary>
    public const double Limit = 0.5;

    /// <param name="ids">The text's tokens.</param>
    public static double Of(ReadOnlySpan<int> ids)
    {
        int runs = ids.Length - Length + 1;
        if (runs < 2) return 0;
        var distinct = new HashSet<(int, int, int, int)>();
        for (int i = 0; i < runs; i++) distinct.Add((ids[i], ids[i + 1], ids[i + 2], ids[i + 3]));
        return 1 - (double)distinct.Count / runs;
    }
}
