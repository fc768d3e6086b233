namespace RepNoise.Host.Evaluation;

/// <summary>A text against a reference.</summary>
public readonly record struct RougeScore(double Precision, double Recall)
{
    public double Fmeasure => Precision + Recall > 0 ? 2 * Precision * Recall / (Precision + Recall) : 0;
}

/// <summary>
/// ROUGE-1, ROUGE-2 and ROUGE-L (Lin, 2004) as the package rouge_score (0.1.2) computes them: tokens are runs of a-z and 0-9 of the
/// lower-cased text; with the stemmer, tokens of more than three characters are stemmed (Porter). ROUGE-N counts common n-grams, each
/// as often as both have it; ROUGE-L is the longest common subsequence of the whole texts.
/// </summary>
public static class Rouge
{
    private const int ShortestStemmed = 4;

    /// <summary>Tokens of a text.</summary>
    public static string[] Tokens(string text, bool stem)
    {
        var tokens = new List<string>();
        string lower = text.ToLowerInvariant();
        for (int i = 0; i < lower.Length;)
        {
            int end = i;
            while (end < lower.Length && char.IsAsciiLetterOrDigit(lower[end])) end++;
            if (end > i)
            {
                string token = lower[i..end];
                tokens.Add(stem && token.Length >= ShortestStemmed ? PorterStemmer.Stem(token) : token);
            }

            i = end + 1;
        }

        return [.. tokens];
    }

    /// <summary>ROUGE-<paramref name="n"/> of tokens.</summary>
    public static RougeScore Ngrams(string[] reference, string[] text, int n)
    {
        var (wanted, said) = (Counts(reference, n), Counts(text, n));
        int common = wanted.Sum(pair => Math.Min(pair.Value, said.GetValueOrDefault(pair.Key)));
        return Score(common, text.Length - n + 1, reference.Length - n + 1);
    }

    /// <summary>ROUGE-L of tokens.</summary>
    public static RougeScore LongestCommonSubsequence(string[] reference, string[] text)
    {
        var (above, row) = (new int[text.Length + 1], new int[text.Length + 1]);
        foreach (string word in reference)
        {
            for (int j = 1; j <= text.Length; j++) row[j] = word == text[j - 1] ? above[j - 1] + 1 : Math.Max(above[j], row[j - 1]);
            (above, row) = (row, above);
        }

        return Score(above[^1], text.Length, reference.Length);
    }

    private static RougeScore Score(int common, int said, int wanted) => new((double)common / Math.Max(1, said), (double)common / Math.Max(1, wanted));

    private static Dictionary<string, int> Counts(string[] tokens, int n)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i + n <= tokens.Length; i++)
        {
            string ngram = string.Join(' ', tokens, i, n);
            counts[ngram] = counts.GetValueOrDefault(ngram) + 1;
        }

        return counts;
    }
}
