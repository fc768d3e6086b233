namespace RepNoise.Host.Data;

/// <summary>Collects tokenised rows and counts what was skipped, for both tokenisers.</summary>
internal sealed class TokenizedRows<T>(TokenizeOptions options)
{
    private readonly List<T> _kept = [];
    private int _empty;
    private int _noTarget;
    private int _truncated;
    private int _longest;

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
        _kept.Add(row);
        _longest = Math.Max(_longest, length);
        _truncated += truncated ? 1 : 0;
    }

    public void SkipEmpty(string place) => Skip(ref _empty, place, "a text has no tokens");

    public void SkipNoTarget(string place, string reason) => Skip(ref _noTarget, place, reason);

    public (IReadOnlyList<T> Rows, TokenizeSummary Summary) Finish(string place)
    {
        int read = _kept.Count + _empty + _noTarget;
        if (_kept.Count == 0)
            throw new DataException(DataFault.Empty, place,
                $"none of the {read} rows from here on can be used ({_noTarget} without a target, {_empty} without tokens)",
                "at least one row with a token that counts in the loss", "check the fields and the template, or raise max_length");
        return (_kept, new TokenizeSummary(read, _kept.Count, _noTarget, _empty, _truncated, _longest));
    }

    private void Skip(ref int counter, string place, string reason)
    {
        counter++;
        if (options.Strict)
            throw new DataException(DataFault.Unusable, place, reason, "a row that the loss can use",
                "correct or remove it, raise max_length, or drop --strict");
    }
}
