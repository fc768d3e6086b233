using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Data;

/// <summary>Fills a batch with plain sequences for next-token training.</summary>
public sealed class SequencePacker(SequenceOptions options)
{
    public SequenceOptions Options { get; } = options is { CompletionOnly: true, PadTo: not null }
        ? throw new ArgumentException("Pads are no answer: CompletionOnly and PadTo exclude each other.", nameof(options))
        : options;

    /// <summary>Replaces the batch's content. Allocates nothing.</summary>
    /// <param name="batch">Its capacity must come from data and options that cover these.</param>
    /// <param name="examples">One plain segment each.</param>
    public void Fill(PackedBatch batch, ReadOnlySpan<TokenExample> examples)
    {
        batch.Clear();
        foreach (var example in examples)
            Add(batch, example, Options);
    }

    /// <summary>Appends one sequence: the row at p predicts the token at p + 1.</summary>
    internal static void Add(PackedBatch batch, TokenExample example, SequenceOptions options)
    {
        var ids = example.Ids;
        if (ids.Length == 0)
            throw new InputException(example.Place, "the text has no tokens", "at least one token", "remove the row");
        batch.BeginGroup(example.Place);
        batch.TokenCount += ids.Length;
        int first = batch.RowCount;
        int length = PaddedLength(example, options);
        for (int p = 0; p < length; p++)
            batch.AddRow(p < ids.Length ? ids[p] : options.PadId, p);
        for (int target = FirstTarget(example, options); target < length; target++)
            batch.NextToken.Add(first + target - 1, batch.Ids[first + target]);
        batch.EndRun(first, ids.Length);
    }

    internal static int PaddedLength(TokenExample example, SequenceOptions options) => Math.Max(example.Ids.Length, options.PadTo ?? 0);

    /// <summary>Nothing predicts the first token of a sequence.</summary>
    internal static int FirstTarget(TokenExample example, SequenceOptions options) =>
        options.CompletionOnly ? Math.Max(1, example.AnswerStart) : 1;
}
