namespace RepNoise.Host.Data;

/// <summary>Turns a text into ids, special tokens included.</summary>
public delegate int[] Encoder(string text);

/// <summary>How texts become ids.</summary>
public sealed record TokenizeOptions
{
    /// <summary>Longest sequence; of a longer one the first ids stay.</summary>
    public required int MaxLength { get; init; }

    /// <summary>The tokenizer's or config's pad id, else eos: decides which tokens of a pair count
    /// (<see cref="PackingOptions.PadId"/>).</summary>
    public int PadId { get; init; }

    /// <summary>Ids must be below it: a tokenizer of another model is found here and not in the middle of a run. Null does not
    /// check.</summary>
    public int? VocabSize { get; init; }

    /// <summary>True makes a row that cannot be used an error instead of skipping it.</summary>
    public bool Strict { get; init; }

    /// <summary>For examples: the id that ends each text that is not cut; null for none.</summary>
    public int? EosId { get; init; }

    /// <summary>For examples: only the answer's tokens are targets, so an example whose answer is cut off is of no use.</summary>
    public bool CompletionOnly { get; init; }
}

/// <summary>What became of the rows.</summary>
/// <param name="Read">Rows given.</param>
/// <param name="Used">Rows kept.</param>
/// <param name="NoTarget">Rows skipped because no token of theirs would count in a loss (for a pair: in one of its two passes).</param>
/// <param name="Empty">Rows skipped because a text has no tokens.</param>
/// <param name="Truncated">Kept rows of which a text was cut at max_length.</param>
/// <param name="Longest">Tokens of the longest kept sequence.</param>
public sealed record TokenizeSummary(int Read, int Used, int NoTarget, int Empty, int Truncated, int Longest);

/// <summary>Turns pairs of texts into pairs of ids, and skips those that have no countable target in one of the passes.</summary>
public static class PairTokenizer
{
    /// <summary>Tokenises every pair; indices count the pairs as read, so that skipping one does not change another's noise.</summary>
    /// <exception cref="DataException">An id is outside the vocabulary, no pair is left, or <c>strict</c> and one cannot be
    /// used.</exception>
    public static (IReadOnlyList<TokenPair> Pairs, TokenizeSummary Summary) Tokenize(
        IReadOnlyList<TextPair> texts, Encoder encoder, TokenizeOptions options)
    {
        var packing = new PackingOptions { PadId = options.PadId, MaxLength = options.MaxLength };
        var rows = new TokenizedRows<TokenPair>(options);
        for (int i = 0; i < texts.Count; i++)
        {
            var text = texts[i];
            int[] harmful = rows.Encode(encoder, text.Harmful, text.Place, out bool cutHarmful);
            int[] harmless = rows.Encode(encoder, text.Harmless, text.Place, out bool cutHarmless);
            var pair = new TokenPair(harmful, harmless, i, text.Place);
            if (harmful.Length == 0 || harmless.Length == 0)
                rows.SkipEmpty(text.Place);
            else if (!new PairFrame(pair, packing).HasTargets)
                rows.SkipNoTarget(text.Place, "the two texts do not differ in a countable token after the first, within max_length");
            else
                rows.Keep(pair, Math.Max(harmful.Length, harmless.Length), cutHarmful || cutHarmless);
        }
        return rows.Finish(texts.Count > 0 ? texts[0].Place : "data");
    }
}
