namespace RepNoise.Host.Diagnostics;

/// <summary>Finds the name that a mistyped one was meant to be.</summary>
internal static class NearestName
{
    /// <summary>
    /// The candidate with the fewest edits (insert, delete, replace, swap of neighbours) to <paramref name="name"/>, or null where
    /// even that one differs in more than a third of its letters. Hyphens and underscores count as equal. Ties go to the first.
    /// </summary>
    public static string? Of(string name, IEnumerable<string> candidates)
    {
        var wanted = Normal(name);
        string? best = null;
        var least = int.MaxValue;
        foreach (var candidate in candidates)
        {
            var normal = Normal(candidate);
            var limit = Math.Max(2, Math.Max(wanted.Length, normal.Length) / 3);
            if (Math.Abs(wanted.Length - normal.Length) > limit)
            {
                continue;
            }

            var distance = Distance(wanted, normal);
            if (distance <= limit && distance < least)
            {
                (best, least) = (candidate, distance);
            }
        }

        return best;
    }

    private static string Normal(string name) => name.TrimStart('-').Replace('-', '_').ToLowerInvariant();

    /// <summary>Damerau-Levenshtein distance (optimal string alignment) over three rolling rows.</summary>
    private static int Distance(string a, string b)
    {
        var (before, previous, row) = (new int[b.Length + 1], new int[b.Length + 1], new int[b.Length + 1]);
        for (var j = 0; j <= b.Length; j++)
        {
            previous[j] = j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = a[i - 1] == b[j - 1] ? 0 : 1;
                row[j] = Math.Min(Math.Min(row[j - 1], previous[j]) + 1, previous[j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    row[j] = Math.Min(row[j], before[j - 2] + 1);
                }
            }

            (before, previous, row) = (previous, row, before);
        }

        return previous[b.Length];
    }
}
