using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Data;

/// <summary>
/// A padded frame as PyTorch holds it, for <c>verify</c>: every position is a row, pads too, so that the logits and hidden
/// states of all of them can be compared.
/// </summary>
public sealed class PaddedIds
{
    private readonly int[] ids;
    private readonly int[] realLengths;
    private readonly string[] places;

    /// <param name="name">The tensor's name, for messages: <c>harmful</c> stands for harmful_ids and harmful_attn.</param>
    /// <param name="batch">B.</param>
    /// <param name="length">T.</param>
    /// <param name="ids">(B, T) token ids.</param>
    /// <param name="attention">(B, T) ones on the real tokens, then zeros.</param>
    /// <exception cref="InputException">The sizes do not match, an id is no int, or the attention is not ones and then zeros.</exception>
    public PaddedIds(string name, int batch, int length, ReadOnlySpan<long> ids, ReadOnlySpan<long> attention)
    {
        if (batch < 1 || length < 1 || ids.Length != (long)batch * length || attention.Length != ids.Length)
            throw new InputException(name, $"{name}_ids has {ids.Length} elements and {name}_attn {attention.Length}",
                $"B * T = {batch} * {length} of each, at least one", "write both tensors with the same shape [B, T]");
        (Batch, Length) = (batch, length);
        places = Enumerable.Range(0, batch).Select(b => $"{name}[{b}]").ToArray();
        this.ids = new int[ids.Length];
        for (int i = 0; i < this.ids.Length; i++)
            this.ids[i] = ids[i] is >= 0 and <= int.MaxValue ? (int)ids[i]
                : throw new InputException($"{name}_ids[{i / length}]", $"token id {ids[i]}", "ids from 0 on", "correct the tensor");
        realLengths = new int[batch];
        for (int b = 0; b < batch; b++)
            realLengths[b] = RealTokens(name, b, attention.Slice(b * length, length));
    }

    /// <summary>B.</summary>
    public int Batch { get; }

    /// <summary>T.</summary>
    public int Length { get; }

    /// <summary>Real tokens of sequence <paramref name="b"/>, at least 1.</summary>
    public int RealLength(int b) => realLengths[b];

    /// <summary>(T) ids of sequence <paramref name="b"/>, pads included.</summary>
    public ReadOnlySpan<int> Row(int b) => ids.AsSpan(b * Length, Length);

    /// <summary>
    /// Replaces the batch's content by all B * T positions, row b * T + t; <see cref="PackedBatch.NextToken"/> becomes the plain
    /// cross-entropy over the real tokens after each sequence's first.
    /// </summary>
    public void Fill(PackedBatch batch)
    {
        batch.Clear();
        for (int b = 0; b < Batch; b++)
        {
            batch.BeginGroup(places[b]);
            batch.TokenCount += RealLength(b);
            int first = batch.RowCount;
            for (int t = 0; t < Length; t++)
                batch.AddRow(Row(b)[t], t);
            for (int target = 1; target < RealLength(b); target++)
                batch.NextToken.Add(first + target - 1, batch.Ids[first + target]);
            batch.EndRun(first, RealLength(b));
        }
    }

    /// <summary>Reads two padded frames back into pairs and the pad id that reproduces them (0 where nothing is padded).</summary>
    /// <exception cref="InputException">The frames differ in shape, or pads are not all the same id.</exception>
    public static (TokenPair[] Pairs, int PadId) ToPairs(PaddedIds harmful, PaddedIds harmless)
    {
        if (harmful.Batch != harmless.Batch || harmful.Length != harmless.Length)
            throw new InputException("harmless", $"its shape is [{harmless.Batch}, {harmless.Length}]",
                $"the harmful frame's [{harmful.Batch}, {harmful.Length}]", "write both with the same shape");
        int? pad = null;
        harmful.FindPad(ref pad);
        harmless.FindPad(ref pad);
        var pairs = Enumerable.Range(0, harmful.Batch).Select(b => new TokenPair(harmful.Real(b), harmless.Real(b), b, $"pair {b}"));
        return (pairs.ToArray(), pad ?? 0);
    }

    private int[] Real(int b) => Row(b)[..RealLength(b)].ToArray();

    private void FindPad(ref int? pad)
    {
        for (int b = 0; b < Batch; b++)
        {
            foreach (int id in Row(b)[RealLength(b)..])
            {
                pad ??= id;
                if (id != pad)
                    throw new InputException(places[b], $"pads are {id} here and {pad} elsewhere", "one pad id",
                        "pad all sequences alike");
            }
        }
    }

    private static int RealTokens(string name, int b, ReadOnlySpan<long> attention)
    {
        int real = attention.IndexOfAnyExcept(1L);
        real = real < 0 ? attention.Length : real;
        if (real == 0 || attention[real..].ContainsAnyExcept(0L))
            throw new InputException($"{name}_attn[{b}]", "it is not a run of ones and then zeros",
                "1 on at least one real token, then 0 on pads",
                "pad on the right");
        return real;
    }
}
