using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Data;

/// <summary>
/// Fills a batch with pairs and, behind them, retain examples. Exact: rows, visibility and terms are those of two padded
/// passes over [B, T], less everything that no term reads (the tests hold it against that frame).
/// </summary>
public sealed class PairPacker(PackingOptions options)
{
    private static readonly SequenceOptions Retain = new() { CompletionOnly = true };

    public PackingOptions Options { get; } = options;

    /// <summary>Replaces the batch's content. Allocates nothing.</summary>
    /// <param name="batch">Its capacity must come from data and options that cover these.</param>
    /// <param name="pairs">B pairs.</param>
    /// <param name="retain">Examples whose answer tokens become <see cref="PackedBatch.NextToken"/>; may be empty.</param>
    /// <exception cref="InputException">One text of a pair has no tokens at all, so that its pads would see no key.</exception>
    public void Fill(PackedBatch batch, ReadOnlySpan<TokenPair> pairs, ReadOnlySpan<TokenExample> retain = default)
    {
        batch.Clear(ownLens: !Options.Mask);
        var mmdRowAt = batch.MmdRowAt.AsSpan(0, pairs.Length * batch.Capacity.FrameLength);
        mmdRowAt.Fill(-1);
        foreach (var pair in pairs)
            AddPair(batch, pair, mmdRowAt.Slice(batch.PairCount * batch.Capacity.FrameLength, batch.Capacity.FrameLength));
        OrderMmdRows(batch, mmdRowAt);
        foreach (var example in retain)
            SequencePacker.Add(batch, example, Retain);
    }

    private void AddPair(PackedBatch batch, TokenPair pair, Span<int> mmdRowAt)
    {
        if (pair.Harmful.Length == 0 || pair.Harmless.Length == 0)
            throw new InputException(pair.Place, "one of the texts has no tokens", "at least one token in each", "remove the row");
        batch.BeginPair(pair);
        batch.TokenCount += pair.Harmful.Length + pair.Harmless.Length;
        var frame = new PairFrame(pair, Options);
        int prompt = batch.RowCount;
        for (int p = 0; p < frame.PromptLength; p++)
            batch.AddRow(pair.Harmful[p], p);
        batch.EndRun(prompt, frame.PromptLength);
        AddPass(batch, frame, Pass.Harmful, prompt, mmdRowAt);
        AddPass(batch, frame, Pass.Harmless, prompt, mmdRowAt);
    }

    private static void AddPass(PackedBatch batch, in PairFrame frame, Pass pass, int prompt, Span<int> mmdRowAt)
    {
        int answer = batch.RowCount;
        for (int p = 0; p < frame.Length; p++)
        {
            int row = p < frame.PromptLength ? prompt + p
                : frame.NeedsRow(pass, p) ? batch.AddRow(frame.Id(pass, p), p)
                : -1;
            AddTerm(pass == Pass.Harmful ? batch.AscentFinal : batch.Stability, frame.FinalTerm(pass, p), frame, pass, p, row);
            if (pass == Pass.Harmless)
                continue;
            if (!frame.Masked)
                AddTerm(batch.AscentLens, frame.MaskedTerm(pass, p), frame, pass, p, row);
            if (frame.InMmd(p))
                mmdRowAt[p] = row;
        }
        batch.EndRun(answer, frame.RealLength(pass) - frame.PromptLength, prompt, frame.PromptLength);
    }

    private static void AddTerm(TargetList list, Term term, in PairFrame frame, Pass pass, int position, int row)
    {
        if (term == Term.Predicted)
            list.Add(row, frame.Id(pass, position + 1));
        else if (term == Term.Constant)
            list.AddConstant();
    }

    /// <summary>By position and then pair: MMD compares rows of the same position, so a kernel walks positions.</summary>
    private static void OrderMmdRows(PackedBatch batch, ReadOnlySpan<int> mmdRowAt)
    {
        int length = batch.Capacity.FrameLength;
        for (int p = 0; p < length; p++)
        {
            for (int b = 0; b < batch.PairCount; b++)
            {
                if (mmdRowAt[(b * length) + p] is >= 0 and var row)
                    batch.AddMmdRow(row, b, p);
            }
        }
    }
}
