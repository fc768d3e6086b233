namespace RepNoise.Host.Data;

/// <summary>Finds the name that a person probably meant.</summary>
internal static class Nearest
{
    /// <summary>The candidate with the smallest edit distance to <paramref name="name"/>, where it is close enough to be a slip.</summary>
    public static string? Of(string name, IEnumerable<string> candidates)
    {
        var best = candidates.Select(c => (Name: c, Distance: Distance(name, c))).MinBy(c => c.Distance);
        return best.Name is not null && best.Distance <= Math.Max(1, name.Length / 3) ? best.Name : null;
    }

    /// <summary>Levenshtein distance without regard to case.</summary>
    private static int Distance(string a, string b)
    {
        // A name from a hostile file may be megabytes long; nothing that long is a slip.
        if (Math.Abs(a.Length - b.Length) > a.Length)
            return int.MaxValue;
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (int i = 0; i < a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i + 1;
            for (int j = 0; j < b.Length; j++)
            {
                int replace = diagonal + (char.ToLowerInvariant(a[i]) == char.ToLowerInvariant(b[j]) ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = Math.Min(replace, Math.Min(row[j], diagonal) + 1);
            }
        }
        return row[^1];
    }
}
