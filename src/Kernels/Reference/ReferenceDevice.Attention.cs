namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    protected override void AttentionForwardCore(
        Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
        var (to, toLse, values) = (Real(output), Real(lse), Real(v));
        foreach (var segment in plan.Segments)
        {
            for (int row = segment.QueryRow; row < segment.QueryRow + segment.QueryCount; row++)
            {
                var (first, last) = AttentionPlan.Visible(segment, plan.Positions[row], shape.Window);
                for (int head = 0; head < shape.Heads; head++)
                {
                    var scores = Scores(q, k, segment, row, head, first, last, shape);
                    var logSumExp = LogSumExp(scores);
                    toLse[row, head] = logSumExp;
                    int valueColumn = head / shape.GroupSize * shape.HeadSize;
                    for (int i = 0; i < shape.HeadSize; i++)
                    {
                        var sum = TReal.Zero;
                        for (int key = first; key <= last; key++)
                        {
                            var p = TReal.Exp(scores[key - first] - logSumExp);
                            sum += p * values[AttentionPlan.KeyRowOf(segment, key), valueColumn + i];
                        }

                        to[row, head * shape.HeadSize + i] = sum;
                    }
                }
            }
        }
    }

    /// <summary>
    /// With p = softmax(s) and D = dOutput . output: dV += p dOutput, ds = p (dOutput . v - D), dQ = scale * ds k,
    /// dK += scale * ds q. Sums over queries run in segment order, in full precision, and are stored once at the end.
    /// </summary>
    protected override void AttentionBackwardCore(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        var keySums = new TReal[k.Rows, k.Columns];
        var valueSums = new TReal[k.Rows, k.Columns];
        foreach (var segment in plan.Segments)
        {
            for (int row = segment.QueryRow; row < segment.QueryRow + segment.QueryCount; row++)
            {
                for (int head = 0; head < shape.Heads; head++)
                    BackwardOfQuery(dQ, keySums, valueSums, dOutput, output, lse, q, k, v, segment, plan.Positions[row], row, head, shape);
            }
        }

        Store(dK, keySums);
        Store(dV, valueSums);
    }

    private static void BackwardOfQuery(
        Tensor dQ, TReal[,] keySums, TReal[,] valueSums, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        in AttentionSegment segment, int position, int row, int head, AttentionShape shape)
    {
        var (toQuery, d, o, queries, keys, values) = (Real(dQ), Real(dOutput), Real(output), Real(q), Real(k), Real(v));
        var (first, last) = AttentionPlan.Visible(segment, position, shape.Window);
        var scores = Scores(q, k, segment, row, head, first, last, shape);
        var scale = ToReal(shape.Scale);
        int queryColumn = head * shape.HeadSize, keyColumn = head / shape.GroupSize * shape.HeadSize;

        var dDotOutput = TReal.Zero;
        for (int i = 0; i < shape.HeadSize; i++) dDotOutput += d[row, queryColumn + i] * o[row, queryColumn + i];

        var querySum = new TReal[shape.HeadSize];
        for (int key = first; key <= last; key++)
        {
            int keyRow = AttentionPlan.KeyRowOf(segment, key);
            var p = TReal.Exp(scores[key - first] - Real(lse)[row, head]);
            var dP = TReal.Zero;
            for (int i = 0; i < shape.HeadSize; i++) dP += d[row, queryColumn + i] * values[keyRow, keyColumn + i];
            var dScore = p * (dP - dDotOutput);
            for (int i = 0; i < shape.HeadSize; i++)
            {
                querySum[i] += dScore * keys[keyRow, keyColumn + i];
                keySums[keyRow, keyColumn + i] += scale * dScore * queries[row, queryColumn + i];
                valueSums[keyRow, keyColumn + i] += p * d[row, queryColumn + i];
            }
        }

        for (int i = 0; i < shape.HeadSize; i++) toQuery[row, queryColumn + i] = scale * querySum[i];
    }

    /// <summary>scale * q . k for the visible keys first to last of one query row and head.</summary>
    private static TReal[] Scores(
        Tensor q, Tensor k, in AttentionSegment segment, int row, int head, int first, int last, AttentionShape shape)
    {
        var (queries, keys) = (Real(q), Real(k));
        var scores = new TReal[last - first + 1];
        int queryColumn = head * shape.HeadSize, keyColumn = head / shape.GroupSize * shape.HeadSize;
        for (int key = first; key <= last; key++)
        {
            int keyRow = AttentionPlan.KeyRowOf(segment, key);
            var dot = TReal.Zero;
            for (int i = 0; i < shape.HeadSize; i++) dot += queries[row, queryColumn + i] * keys[keyRow, keyColumn + i];
            scores[key - first] = ToReal(shape.Scale) * dot;
        }

        return scores;
    }

    /// <summary>log(sum(exp(values))), the largest taken out first so that nothing overflows.</summary>
    private static TReal LogSumExp(ReadOnlySpan<TReal> values)
    {
        var largest = values[0];
        foreach (var value in values) largest = TReal.Max(largest, value);
        var sum = TReal.Zero;
        foreach (var value in values) sum += TReal.Exp(value - largest);
        return largest + TReal.Log(sum);
    }

    private static void Store(Tensor target, TReal[,] values)
    {
        var to = Real(target);
        for (int r = 0; r < target.Rows; r++)
        {
            for (int c = 0; c < target.Columns; c++) to[r, c] = values[r, c];
        }
    }
}
