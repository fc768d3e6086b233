using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>Family attention: plain sequences, packed pairs, and single rows against a key/value cache.</summary>
internal static partial class KernelBenchmarks
{
    private static Dimension Batch => new("b", "sequences") { Sample = 1 };
    private static Dimension Pairs => new("b", "pairs") { Sample = 1 };

    private static Dimension[] HeadDimensions =>
    [
        new("nh", "heads"),
        new("nkv", "key/value heads, a divisor of nh") { Sample = 1 },
        new("hs", "head size"),
    ];

    private static Dimension Window => new("window", "visible keys, 0 for all") { Default = 0, Least = 0 };
    private static Dimension Length => new("t", "tokens of each");
    private static Dimension[] PairLengths => [new("prompt", "shared tokens"), new("answer", "tokens of each of two answers")];

    private static KernelBenchmark[] Attention =>
    [
        new("attention_forward", nameof(Device.AttentionForward), "softmax(q k^T / sqrt(hs)) v, causal, over b sequences of t tokens",
            [Batch, Length, .. HeadDimensions, Window], (o, d) => Forward(o, Sequences(d)))
        {
            SuiteShapes = m => [[m.B, m.Prompt + m.Answer, m.Heads, m.KeyValueHeads, m.HeadSize, 0]],
        },
        new("attention_backward", nameof(Device.AttentionBackward), "dQ, dK and dV of the same",
            [Batch, Length, .. HeadDimensions, Window], (o, d) => Backward(o, Sequences(d)))
        {
            SuiteShapes = m => [[m.B, m.Prompt + m.Answer, m.Heads, m.KeyValueHeads, m.HeadSize, 0]],
        },
        new("attention_pairs_forward", nameof(Device.AttentionForward), "the same over b packed pairs: a prompt and two answers that see it",
            [Pairs, .. PairLengths, .. HeadDimensions, Window], (o, d) => Forward(o, PackedPairs(d)))
        {
            SuiteShapes = m => [[m.B, m.Prompt, m.Answer, m.Heads, m.KeyValueHeads, m.HeadSize, 0]],
        },
        new("attention_pairs_backward", nameof(Device.AttentionBackward), "dQ, dK and dV of the same",
            [Pairs, .. PairLengths, .. HeadDimensions, Window], (o, d) => Backward(o, PackedPairs(d)))
        {
            SuiteShapes = m => [[m.B, m.Prompt, m.Answer, m.Heads, m.KeyValueHeads, m.HeadSize, 0]],
        },
        new("attention_decode", nameof(Device.AttentionForward), "one new row of each of b sequences against t cached keys",
            [Batch, Length, .. HeadDimensions, Window], (o, d) => Forward(o, Decode(d)))
        {
            SuiteShapes = m => [[m.B, m.Prompt + m.Answer, m.Heads, m.KeyValueHeads, m.HeadSize, 0]],
        },
    ];

    private static Action Forward(Operands o, AttentionCase attention)
    {
        var (q, k, v, output, lse, plan) = attention.Place(o);
        o.Result("output", output, attention.QueryRows, attention.QueryColumns);
        o.Result("lse", lse, attention.QueryRows, attention.HeadColumns);
        return () => o.Device.AttentionForward(output, lse, q, k, v, plan, attention.Shape);
    }

    private static Action Backward(Operands o, AttentionCase attention)
    {
        var (q, k, v, output, lse, plan) = attention.Place(o);
        o.Device.AttentionForward(output, lse, q, k, v, plan, attention.Shape);
        var (rows, columns, keyRows, keyColumns) = (attention.QueryRows, attention.QueryColumns, attention.KeyRows, attention.KeyColumns);
        var dOutput = o.Filled(BufferKind.Compute, rows, columns);
        var dQ = o.Zeroed(BufferKind.Compute, rows, columns);
        var (dK, dV) = (o.Zeroed(BufferKind.Compute, keyRows, keyColumns), o.Zeroed(BufferKind.Compute, keyRows, keyColumns));
        o.Result("dQ", dQ, rows, columns);
        o.Result("dK", dK, keyRows, keyColumns);
        o.Result("dV", dV, keyRows, keyColumns);
        return () => o.Device.AttentionBackward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, attention.Shape);
    }

    private static AttentionCase Sequences(Extent[] d)
    {
        int t = d[1].Total;
        return new AttentionCase(d[0], t, t, d[2].Total, d[3], d[4].Total, d[5].Total, (i, segments, positions) =>
        {
            segments.Add(new AttentionSegment { QueryRow = i * t, QueryCount = t, KeyRow = i * t, KeyCount = t });
            positions.AddRange(Enumerable.Range(0, t));
        });
    }

    private static AttentionCase PackedPairs(Extent[] d)
    {
        var (prompt, answer) = (d[1].Total, d[2].Total);
        int rows = checked(prompt + 2 * answer);
        return new AttentionCase(d[0], rows, rows, d[3].Total, d[4], d[5].Total, d[6].Total, (i, segments, positions) =>
        {
            int first = i * rows;
            segments.Add(new AttentionSegment { QueryRow = first, QueryCount = prompt, KeyRow = first, KeyCount = prompt });
            positions.AddRange(Enumerable.Range(0, prompt));
            foreach (int row in new[] { first + prompt, first + prompt + answer })
            {
                segments.Add(new AttentionSegment
                {
                    QueryRow = row,
                    QueryCount = answer,
                    KeyRow = row,
                    KeyCount = answer,
                    ContextRow = first,
                    ContextCount = prompt,
                });
                positions.AddRange(Enumerable.Range(prompt, answer));
            }
        });
    }

    private static AttentionCase Decode(Extent[] d)
    {
        int t = d[1].Total;
        return new AttentionCase(d[0], 1, t, d[2].Total, d[3], d[4].Total, d[5].Total, (i, segments, positions) =>
        {
            segments.Add(new AttentionSegment { QueryRow = i, QueryCount = 1, KeyRow = i * t, KeyCount = t });
            positions.Add(t - 1);
        });
    }

    /// <summary>Items (sequences or pairs) of equal form, and the heads that share some of the key/value heads.</summary>
    /// <param name="Items">Which of the batch.</param>
    /// <param name="QueriesPerItem">Rows of q.</param>
    /// <param name="KeysPerItem">Rows of k and v.</param>
    /// <param name="HeadCount">Heads of the whole.</param>
    /// <param name="KeyValueHeads">Which of them.</param>
    /// <param name="HeadSize">HS.</param>
    /// <param name="WindowKeys">Visible keys, 0 for all.</param>
    /// <param name="Add">Adds the segments and positions of the i-th item here.</param>
    private sealed record AttentionCase(
        Extent Items, int QueriesPerItem, int KeysPerItem, int HeadCount, Extent KeyValueHeads, int HeadSize, int WindowKeys,
        Action<int, List<AttentionSegment>, List<int>> Add)
    {
        public Extent QueryRows => Items.Times(QueriesPerItem);

        public Extent KeyRows => Items.Times(KeysPerItem);

        public Extent HeadColumns => KeyValueHeads.Times(HeadCount / KeyValueHeads.Total);

        public Extent QueryColumns => HeadColumns.Times(HeadSize);

        public Extent KeyColumns => KeyValueHeads.Times(HeadSize);

        // Where the key/value heads do not divide the heads the device says so.
        public AttentionShape Shape => new(
            KeyValueHeads.IsWhole ? HeadCount : HeadColumns.Count, KeyValueHeads.Count, HeadSize, WindowKeys == 0 ? null : WindowKeys);

        public (Tensor Q, Tensor K, Tensor V, Tensor Output, Tensor Lse, AttentionPlan Plan) Place(Operands o)
        {
            var (segments, positions) = (new List<AttentionSegment>(), new List<int>());
            for (int i = 0; i < Items.Count; i++) Add(i, segments, positions);
            var plan = o.Own(new AttentionPlan(o.Device, segments.Count, positions.Count));
            plan.Load([.. segments], [.. positions]);
            return (
                o.Filled(BufferKind.Compute, QueryRows, QueryColumns),
                o.Filled(BufferKind.Compute, KeyRows, KeyColumns),
                o.Filled(BufferKind.Compute, KeyRows, KeyColumns),
                o.Zeroed(BufferKind.Compute, QueryRows, QueryColumns),
                o.Zeroed(BufferKind.State, QueryRows, HeadColumns),
                plan);
        }
    }
}
