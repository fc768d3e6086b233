using System.Text;
using RepNoise.Host.Data;

namespace RepNoise.Host.Evaluation;

/// <summary>A text of a data set that is compared with others.</summary>
/// <param name="Text">The text.</param>
/// <param name="Place">File and line.</param>
public sealed record OverlapText(string Text, string Place);

/// <summary>Two texts that are the same, or nearly so.</summary>
/// <param name="A">File and line in the first set.</param>
/// <param name="B">File and line in the second.</param>
/// <param name="Similarity">Jaccard similarity of their word trigrams; 1 for exact duplicates.</param>
/// <param name="Reason">exact, similar, or 13-gram.</param>
/// <param name="Text">The second set's text.</param>
public sealed record OverlapPair(string A, string B, double Similarity, string Reason, string Text);

/// <summary>What two data sets share.</summary>
public sealed record OverlapResult
{
    /// <summary>Names of the sets, such as attack and test.</summary>
    public required string A { get; init; }

    public required string B { get; init; }

    public required int TextsA { get; init; }

    public required int TextsB { get; init; }

    /// <summary>Texts of B that A has exactly.</summary>
    public required int Exact { get; init; }

    /// <summary>Further texts of B that A nearly has.</summary>
    public required int Near { get; init; }

    /// <summary>The best match of each of them.</summary>
    public required IReadOnlyList<OverlapPair> Pairs { get; init; }
}

/// <summary>
/// Finds the texts of one set that another has too: exactly, once case, punctuation and spaces are aside, or nearly: their sets of word
/// trigrams have a Jaccard similarity of the limit or more, or they share a run of 13 words (the measure of Brown et al.,
/// arXiv 2005.14165). Similar texts are found by prefix filtering (Chaudhuri et al., ICDE 2006): two sets of similarity t
/// share one of their rarest (1 - t) |x| + 1 members. That is exact, where sampled hashes (MinHash) would miss some.
/// </summary>
public sealed class Overlap
{
    private const int ShingleWords = 3;
    private const int LongRun = 13;

    private readonly List<OverlapText> texts;
    private readonly double limit;
    private readonly Dictionary<string, int> exact = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> frequency = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<int>> rare = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> runs = new(StringComparer.Ordinal);
    private readonly List<HashSet<string>> shingles = [];

    /// <param name="texts">The set that others are compared with.</param>
    /// <param name="limit">Jaccard similarity from which on two texts are near duplicates, above 0.</param>
    public Overlap(IReadOnlyList<OverlapText> texts, double limit)
    {
        (this.texts, this.limit) = ([.. texts], limit);
        for (int i = 0; i < texts.Count; i++)
        {
            string[] words = Words(texts[i].Text);
            exact.TryAdd(string.Join(' ', words), i);
            shingles.Add(Shingles(words));
            foreach (string shingle in shingles[i]) frequency[shingle] = frequency.GetValueOrDefault(shingle) + 1;
            foreach (string run in Runs(words, LongRun)) runs.TryAdd(run, i);
        }

        for (int i = 0; i < texts.Count; i++)
        {
            foreach (string shingle in Prefix(shingles[i]))
            {
                if (!rare.TryGetValue(shingle, out var list)) rare[shingle] = list = [];
                list.Add(i);
            }
        }
    }

    /// <summary>The best match of a text, or null. An empty text matches nothing.</summary>
    public OverlapPair? Find(OverlapText text)
    {
        string[] words = Words(text.Text);
        if (words.Length == 0) return null;
        if (exact.TryGetValue(string.Join(' ', words), out int same)) return new OverlapPair(texts[same].Place, text.Place, 1, "exact", text.Text);
        var own = Shingles(words);
        var (best, index) = (0.0, -1);
        foreach (int candidate in Prefix(own).SelectMany(shingle => rare.GetValueOrDefault(shingle) ?? []).Distinct().Order())
        {
            double similarity = Jaccard(own, shingles[candidate]);
            if (similarity >= limit && similarity > best) (best, index) = (similarity, candidate);
        }

        if (index >= 0) return new OverlapPair(texts[index].Place, text.Place, best, "similar", text.Text);
        foreach (string run in Runs(words, LongRun))
        {
            if (runs.TryGetValue(run, out int longer))
                return new OverlapPair(texts[longer].Place, text.Place, Jaccard(own, shingles[longer]), "13-gram", text.Text);
        }

        return null;
    }

    /// <summary>Compares two sets.</summary>
    public static OverlapResult Compare(
        string nameA, IReadOnlyList<OverlapText> a, string nameB, IReadOnlyList<OverlapText> b, double limit, CancellationToken stop = default)
    {
        var overlap = new Overlap(a, limit);
        var pairs = new List<OverlapPair>();
        foreach (var text in b)
        {
            stop.ThrowIfCancellationRequested();
            if (overlap.Find(text) is { } pair) pairs.Add(pair);
        }

        int same = pairs.Count(pair => pair.Reason == "exact");
        return new OverlapResult { A = nameA, B = nameB, TextsA = a.Count, TextsB = b.Count, Exact = same, Near = pairs.Count - same, Pairs = pairs };
    }

    /// <summary>The texts of a file to compare: one field, or the prompts.</summary>
    /// <exception cref="DataException">The file is malformed, or a row lacks the field.</exception>
    public static IReadOnlyList<OverlapText> Read(string path, string? field)
    {
        var texts = new List<OverlapText>();
        if (Path.GetExtension(path).Equals(".txt", StringComparison.OrdinalIgnoreCase))
            return [.. ExampleReader.Stream(path).Select(example => new OverlapText(example.Text, example.Place))];
        foreach (var row in RowSource.Read(path))
        {
            string[] known = ["prompt", "prompt.text", "context", "question", "text"];
            texts.Add(new OverlapText(row.Text(field ?? known.FirstOrDefault(row.Has) ?? known[0]), row.Place));
        }

        return texts.Count > 0 ? texts : throw RowSource.Empty(path);
    }

    /// <summary>Words in lower case: runs of letters, marks and digits.</summary>
    internal static string[] Words(string text)
    {
        var cleaned = new StringBuilder(text.Length);
        foreach (var rune in text.Normalize().EnumerateRunes())
        {
            if (Rune.IsLetterOrDigit(rune)) cleaned.Append(Rune.ToLowerInvariant(rune));
            else if (rune.Value is not ('\'' or '\u2019')) cleaned.Append(' ');
        }

        return cleaned.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    internal static double Jaccard(HashSet<string> a, HashSet<string> b)
    {
        int common = a.Count(b.Contains);
        return (double)common / (a.Count + b.Count - common);
    }

    /// <summary>Word trigrams; the whole text where it is shorter.</summary>
    private static HashSet<string> Shingles(string[] words) =>
        words.Length < ShingleWords ? [string.Join(' ', words)] : [.. Runs(words, ShingleWords)];

    private static IEnumerable<string> Runs(string[] words, int length)
    {
        for (int i = 0; i + length <= words.Length; i++) yield return string.Join(' ', words, i, length);
    }

    /// <summary>The rarest members, of which similar sets share one. The order is one and the same for every set.</summary>
    private IEnumerable<string> Prefix(HashSet<string> set) => set
        .OrderBy(shingle => frequency.GetValueOrDefault(shingle)).ThenBy(shingle => shingle, StringComparer.Ordinal)
        .Take(set.Count - (int)Math.Ceiling(limit * set.Count - 1e-9) + 1);
}
