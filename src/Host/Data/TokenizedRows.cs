namespace RepNoise.Host.Data;

/// <summary>Collects tokenised rows and counts what was skipped, for both tokenisers.</summary>
internal sealed class TokenizedRows<T>(TokenizeOptions options)
{
    private readonly List<T> kept = [];
    private int empty;
    private int noTarget;
    private int truncated;
    private int longest;

    public int[] Encode(Encoder encoder, string text, string place, out bool cut)
    {
        int[] ids = encoder(text);
        foreach (int id in ids)
        {
            if (id < 0 || id >= (options.VocabSize ?? int.MaxValue))
                throw new DataException(DataFault.UnknownId, place, $"the tokenizer gives id {id}",
                    $"ids from 0 to {options.VocabSize - 1}, the model's vocab_size",
                    "use the tokenizer.json that belongs to the model");
        }
        cut = ids.Length > options.MaxLength;
        return cut ? ids[..options.MaxLength] : ids;
    }

    public void Keep(T row, int length, bool truncated)
    {
        kept.Add(row);
        longest = Math.Max(longest, length);
        this.truncated += truncated ? 1 : 0;
    }

    public void SkipEmpty(string place) => Skip(ref empty, place, "a text has no tokens");

    public void SkipNoTarget(string place, string reason) => Skip(ref noTarget, place, reason);

    public (IReadOnlyList<T> Rows, TokenizeSummary Summary) Finish(string place)
    {
        int read = kept.Count + empty + noTarget;
        if (kept.Count == 0)
            throw new DataException(DataFault.Empty, place,
                $"none of the {read} rows from here on can be used ({noTarget} without a target, {empty} without tokens)",
                "at least one row with a token that counts in the loss", "check the fields and the template, or raise max_length");
        return (kept, new TokenizeSummary(read, kept.Count, noTarget, empty, truncated, longest));
    }

    private void Skip(ref int counter, string place, string reason)
    {
        counter++;
        if (options.Strict)
            throw new DataException(DataFault.Unusable, place, reason, "a row that the loss can use",
                "correct or remove it, raise max_length, or drop --strict");
    }
}
