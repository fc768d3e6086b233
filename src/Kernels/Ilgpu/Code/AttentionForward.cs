using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Family attention, forward: a group takes a tile of query rows of one segment and one head and walks over the keys that
/// they see, 32 at a time, with an online softmax (Milakov and Gimelshein, arXiv 1805.02867). Eight threads share a row: each
/// knows the row's maximum and holds a part of its sum.
/// </summary>
internal static class AttentionForwardCode
{
    private const int RowThreads = 8;

    /// <param name="output">(NQ, NH * HS).</param>
    /// <param name="lse">(NQ, NH).</param>
    /// <param name="q">(NQ, NH * HS).</param>
    /// <param name="k">(NK, NKV * HS).</param>
    /// <param name="v">(NK, NKV * HS).</param>
    /// <param name="words">The plan's segments.</param>
    /// <param name="positions">NQ positions.</param>
    /// <param name="segments">Number of segments.</param>
    /// <param name="sizes">Heads, scale, window.</param>
    public static void Forward(
        Matrix output, Matrix lse, Matrix q, Matrix k, Matrix v, ArrayView<int> words, ArrayView<int> positions, int segments,
        AttentionSizes sizes)
    {
        var leftTile = SharedMemory.Allocate<float>(AttentionTile.MaxRows * AttentionTile.Pitch);
        var rightTile = SharedMemory.Allocate<float>(AttentionTile.Columns * AttentionTile.Pitch);
        var weights = SharedMemory.Allocate<Float4>(AttentionTile.Columns * AttentionTile.WeightPitch / 4);
        var partials = SharedMemory.Allocate<float>(RowThreads * AttentionTile.MaxRows);
        var factors = SharedMemory.Allocate<float>(AttentionTile.MaxRows);

        int head = Grid.IdxY, size = sizes.HeadSize, keyColumn = head / sizes.GroupSize * size;
        int number = AttentionSegments.Find(words, segments, Grid.IdxX, AttentionTile.Rows, out int firstQuery);
        var segment = new DeviceSegment(words, number);
        int queries = segment.QueryCount - firstQuery;
        if (queries > AttentionTile.Rows) queries = AttentionTile.Rows;
        int firstRow = segment.QueryRow + firstQuery;
        var query = new HeadRows(q, RowMap.From(firstRow), 0, queries, head * size);
        var target = new HeadRows(output, RowMap.From(firstRow), 0, queries, head * size);
        AttentionTile.Clear(target, size);

        int row = AttentionTile.ScoreRow, column = AttentionTile.ScoreColumn;
        int position0 = PositionOf(positions, firstRow, row, queries), position1 = PositionOf(positions, firstRow, row + 1, queries);
        float max0 = float.NegativeInfinity, max1 = float.NegativeInfinity, sum0 = 0f, sum1 = 0f;
        int key = positions[firstRow] - sizes.Window + 1 - segment.FirstPosition;
        int last = positions[firstRow + queries - 1] - segment.FirstPosition;
        if (last > segment.VisibleCount - 1) last = segment.VisibleCount - 1;
        if (key < 0) key = 0;
        for (; key <= last; key += AttentionTile.Columns)
        {
            int keys = last + 1 - key;
            if (keys > AttentionTile.Columns) keys = AttentionTile.Columns;
            var scores = AttentionTile.Scores(
                leftTile, rightTile, query, new HeadRows(k, segment.Keys, key, keys, keyColumn), size);
            int firstKey = segment.FirstPosition + key + column;
            scores.First = Visible(scores.First, sizes, position0 - firstKey, keys - column);
            scores.Second = Visible(scores.Second, sizes, position1 - firstKey, keys - column);

            partials[column * AttentionTile.MaxRows + row] = Largest(scores.First);
            partials[column * AttentionTile.MaxRows + row + 1] = Largest(scores.Second);
            Group.Barrier();
            float newMax0 = max0, newMax1 = max1;
            for (int i = 0; i < RowThreads; i++)
            {
                newMax0 = FloatMax.Combine(newMax0, partials[i * AttentionTile.MaxRows + row]);
                newMax1 = FloatMax.Combine(newMax1, partials[i * AttentionTile.MaxRows + row + 1]);
            }

            // A row that has seen no key yet keeps -inf, from which nothing may be subtracted.
            float shift0 = newMax0 > float.NegativeInfinity ? newMax0 : 0f, shift1 = newMax1 > float.NegativeInfinity ? newMax1 : 0f;
            float factor0 = DeviceMath.Exp(max0 - shift0), factor1 = DeviceMath.Exp(max1 - shift1);
            scores.First = Exponentials(scores.First, shift0);
            scores.Second = Exponentials(scores.Second, shift1);
            sum0 = sum0 * factor0 + Total(scores.First);
            sum1 = sum1 * factor1 + Total(scores.Second);
            (max0, max1) = (newMax0, newMax1);
            AttentionTile.StoreWeights(weights, scores);
            if (column == 0)
            {
                factors[row] = factor0;
                factors[row + 1] = factor1;
            }

            AttentionTile.Accumulate(
                target, new HeadRows(v, segment.Keys, key, keys, keyColumn), weights, rightTile, factors, size);
        }

        partials[column * AttentionTile.MaxRows + row] = sum0;
        partials[column * AttentionTile.MaxRows + row + 1] = sum1;
        Group.Barrier();
        if (column == 0)
        {
            sum0 = 0f;
            sum1 = 0f;
            for (int i = 0; i < RowThreads; i++)
            {
                sum0 += partials[i * AttentionTile.MaxRows + row];
                sum1 += partials[i * AttentionTile.MaxRows + row + 1];
            }

            factors[row] = 1f / sum0;
            factors[row + 1] = 1f / sum1;
            if (row < queries) lse[firstRow + row, head] = max0 + DeviceMath.Log(sum0);
            if (row + 1 < queries) lse[firstRow + row + 1, head] = max1 + DeviceMath.Log(sum1);
        }

        Group.Barrier();
        AttentionTile.Scale(target, factors, size);
    }

    /// <summary>A query's position; that of the tile's last row beyond it, whose results are not kept.</summary>
    private static int PositionOf(ArrayView<int> positions, int firstRow, int row, int rows) =>
        positions[firstRow + (row < rows ? row : rows - 1)];

    /// <summary>Scaled scores, -inf for keys that the query does not see.</summary>
    /// <param name="dots">Unscaled scores of four keys.</param>
    /// <param name="sizes">Scale and window.</param>
    /// <param name="distance">Query's position - position of the first of the four keys, which lie 8 apart.</param>
    /// <param name="keys">Keys from the first of the four on.</param>
    private static Float4 Visible(Float4 dots, AttentionSizes sizes, int distance, int keys)
    {
        dots.X = Score(dots.X, sizes, distance, keys > 0);
        dots.Y = Score(dots.Y, sizes, distance - 8, keys > 8);
        dots.Z = Score(dots.Z, sizes, distance - 16, keys > 16);
        dots.W = Score(dots.W, sizes, distance - 24, keys > 24);
        return dots;
    }

    private static float Score(float dot, AttentionSizes sizes, int distance, bool isKey) =>
        isKey && AttentionSegments.Sees(distance, sizes.Window) ? sizes.Scale * dot : float.NegativeInfinity;

    private static float Largest(Float4 values) =>
        FloatMax.Combine(FloatMax.Combine(values.X, values.Y), FloatMax.Combine(values.Z, values.W));

    private static float Total(Float4 values) => values.X + values.Y + (values.Z + values.W);

    private static Float4 Exponentials(Float4 scores, float shift)
    {
        scores.X = DeviceMath.Exp(scores.X - shift);
        scores.Y = DeviceMath.Exp(scores.Y - shift);
        scores.Z = DeviceMath.Exp(scores.Z - shift);
        scores.W = DeviceMath.Exp(scores.W - shift);
        return scores;
    }
}
