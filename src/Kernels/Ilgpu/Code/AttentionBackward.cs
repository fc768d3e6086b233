using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Family attention, backward, in two kernels so that every gradient has one writer. With p = exp(s - lse) and
/// D = dOutput . output: ds = scale * p (dOutput . v - D); dQ = sum over keys of ds k, by tiles of query rows; dV = sum over
/// queries of p dOutput and dK = sum of ds q, by tiles of key rows, through the segments in order and the heads that share
/// the keys.
/// </summary>
internal static class AttentionBackwardCode
{
    /// <summary>dQ: a group per tile of query rows and head.</summary>
    public static void Queries(
        Matrix dQ, Matrix dOutput, Matrix output, Matrix lse, Matrix q, Matrix k, Matrix v, ArrayView<int> words, ArrayView<int> positions,
        int segments, AttentionSizes sizes)
    {
        var leftTile = SharedMemory.Allocate<float>(AttentionTile.MaxRows * AttentionTile.Pitch);
        var rightTile = SharedMemory.Allocate<float>(AttentionTile.Columns * AttentionTile.Pitch);
        var weights = SharedMemory.Allocate<Float4>(AttentionTile.Columns * AttentionTile.WeightPitch / 4);
        var partials = SharedMemory.Allocate<float>(4 * AttentionTile.MaxRows);
        var dots = SharedMemory.Allocate<float>(AttentionTile.MaxRows);
        var ones = SharedMemory.Allocate<float>(AttentionTile.MaxRows);

        int head = Grid.IdxY, size = sizes.HeadSize, keyColumn = head / sizes.GroupSize * size;
        int number = AttentionSegments.Find(words, segments, Grid.IdxX, AttentionTile.Rows, out int firstQuery);
        var segment = new DeviceSegment(words, number);
        int queries = segment.QueryCount - firstQuery;
        if (queries > AttentionTile.Rows) queries = AttentionTile.Rows;
        int firstRow = segment.QueryRow + firstQuery;
        var map = RowMap.From(firstRow);
        var query = new HeadRows(q, map, 0, queries, head * size);
        var gradient = new HeadRows(dOutput, map, 0, queries, head * size);
        var target = new HeadRows(dQ, map, 0, queries, head * size);
        AttentionTile.Clear(target, size);
        if (Group.IdxX < AttentionTile.MaxRows) ones[Group.IdxX] = 1f;
        AttentionTile.RowDots(dots, partials, gradient, new HeadRows(output, map, 0, queries, head * size), AttentionTile.Rows, size);

        int row = AttentionTile.ScoreRow, column = AttentionTile.ScoreColumn;
        int row0 = firstRow + (row < queries ? row : queries - 1), row1 = firstRow + (row + 1 < queries ? row + 1 : queries - 1);
        int position0 = positions[row0], position1 = positions[row1];
        float lse0 = lse[row0, head], lse1 = lse[row1, head], dot0 = dots[row], dot1 = dots[row + 1];
        int key = positions[firstRow] - sizes.Window + 1 - segment.FirstPosition;
        int last = positions[firstRow + queries - 1] - segment.FirstPosition;
        if (last > segment.VisibleCount - 1) last = segment.VisibleCount - 1;
        if (key < 0) key = 0;
        for (; key <= last; key += AttentionTile.Columns)
        {
            int keys = last + 1 - key;
            if (keys > AttentionTile.Columns) keys = AttentionTile.Columns;
            var keyRows = new HeadRows(k, segment.Keys, key, keys, keyColumn);
            var scores = AttentionTile.Scores(leftTile, rightTile, query, keyRows, size);
            var products = AttentionTile.Scores(leftTile, rightTile, gradient, new HeadRows(v, segment.Keys, key, keys, keyColumn), size);
            int firstKey = segment.FirstPosition + key + column;
            products.First = ScoreGradients(scores.First, products.First, sizes, lse0, dot0, position0 - firstKey, keys - column);
            products.Second = ScoreGradients(scores.Second, products.Second, sizes, lse1, dot1, position1 - firstKey, keys - column);
            AttentionTile.StoreWeights(weights, products);
            AttentionTile.Accumulate(target, keyRows, weights, rightTile, ones, size);
        }
    }

    /// <summary>dK and dV: a group per tile of key rows and key/value head. Tiles cover all NK rows, seen or not.</summary>
    public static void Keys(
        Matrix dK, Matrix dV, Matrix dOutput, Matrix output, Matrix lse, Matrix q, Matrix k, Matrix v, ArrayView<int> words,
        ArrayView<int> positions, int segments, AttentionSizes sizes)
    {
        var leftTile = SharedMemory.Allocate<float>(AttentionTile.MaxRows * AttentionTile.Pitch);
        var rightTile = SharedMemory.Allocate<float>(AttentionTile.Columns * AttentionTile.Pitch);
        var weights = SharedMemory.Allocate<Float4>(AttentionTile.Columns * AttentionTile.WeightPitch / 4);
        var partials = SharedMemory.Allocate<float>(4 * AttentionTile.MaxRows);
        var dots = SharedMemory.Allocate<float>(AttentionTile.Columns);
        var ones = SharedMemory.Allocate<float>(AttentionTile.MaxRows);
        if (Group.IdxX < AttentionTile.MaxRows) ones[Group.IdxX] = 1f;

        int size = sizes.HeadSize, firstRow = Grid.IdxX * AttentionTile.Rows, keyHead = Grid.IdxY;
        int rows = k.Rows - firstRow;
        if (rows > AttentionTile.Rows) rows = AttentionTile.Rows;
        var map = RowMap.From(firstRow);
        var key = new HeadRows(k, map, 0, rows, keyHead * size);
        var value = new HeadRows(v, map, 0, rows, keyHead * size);
        var targetKey = new HeadRows(dK, map, 0, rows, keyHead * size);
        var targetValue = new HeadRows(dV, map, 0, rows, keyHead * size);
        AttentionTile.Clear(targetKey, size);
        AttentionTile.Clear(targetValue, size);
        Group.Barrier();

        for (int part = 0; part < 2 * segments; part++)
        {
            var segment = new DeviceSegment(words, part / 2);
            bool isOwn = part % 2 != 0;
            int from = isOwn ? segment.KeyRow : segment.ContextRow, until = from + (isOwn ? segment.KeyCount : segment.ContextCount);
            int low = from > firstRow ? from : firstRow, high = until < firstRow + rows ? until : firstRow + rows;
            if (low >= high) continue;
            // Position of the tile's row 0, were it a key of this part.
            int origin = segment.FirstPosition + (isOwn ? segment.ContextCount : 0) + firstRow - from;
            for (int first = 0; first < segment.QueryCount; first += AttentionTile.Columns)
            {
                int queries = segment.QueryCount - first;
                if (queries > AttentionTile.Columns) queries = AttentionTile.Columns;
                int firstQuery = segment.QueryRow + first;
                // No query of the tile sees a key of the tile: all too early, or all past the window.
                if (positions[firstQuery + queries - 1] < origin + low - firstRow) continue;
                if (positions[firstQuery] - (origin + high - 1 - firstRow) >= sizes.Window) continue;
                var queryMap = RowMap.From(firstQuery);
                for (int head = keyHead * sizes.GroupSize; head < (keyHead + 1) * sizes.GroupSize; head++)
                {
                    var query = new HeadRows(q, queryMap, 0, queries, head * size);
                    var gradient = new HeadRows(dOutput, queryMap, 0, queries, head * size);
                    AttentionTile.RowDots(
                        dots, partials, gradient, new HeadRows(output, queryMap, 0, queries, head * size), AttentionTile.Columns, size);
                    var scores = AttentionTile.Scores(leftTile, rightTile, key, query, size);
                    var products = AttentionTile.Scores(leftTile, rightTile, value, gradient, size);
                    int row = AttentionTile.ScoreRow;
                    bool isKey0 = firstRow + row >= low && firstRow + row < high;
                    bool isKey1 = firstRow + row + 1 >= low && firstRow + row + 1 < high;
                    scores.First = Probabilities(scores.First, sizes, lse, positions, firstQuery, queries, head, origin + row, isKey0);
                    scores.Second = Probabilities(scores.Second, sizes, lse, positions, firstQuery, queries, head, origin + row + 1, isKey1);
                    AttentionTile.StoreWeights(weights, scores);
                    AttentionTile.Accumulate(targetValue, gradient, weights, rightTile, ones, size);
                    products.First = ScoreGradients(scores.First, products.First, dots, sizes.Scale);
                    products.Second = ScoreGradients(scores.Second, products.Second, dots, sizes.Scale);
                    AttentionTile.StoreWeights(weights, products);
                    AttentionTile.Accumulate(targetKey, query, weights, rightTile, ones, size);
                }
            }
        }
    }

    /// <summary>scale * p (dP - D) for a query and four keys that lie 8 apart; 0 for keys that it does not see.</summary>
    private static Float4 ScoreGradients(
        Float4 dots, Float4 products, AttentionSizes sizes, float lse, float outputDot, int distance, int keys)
    {
        products.X = ScoreGradient(dots.X, products.X, sizes, lse, outputDot, distance, keys > 0);
        products.Y = ScoreGradient(dots.Y, products.Y, sizes, lse, outputDot, distance - 8, keys > 8);
        products.Z = ScoreGradient(dots.Z, products.Z, sizes, lse, outputDot, distance - 16, keys > 16);
        products.W = ScoreGradient(dots.W, products.W, sizes, lse, outputDot, distance - 24, keys > 24);
        return products;
    }

    private static float ScoreGradient(
        float dot, float product, AttentionSizes sizes, float lse, float outputDot, int distance, bool isKey) =>
        isKey && AttentionSegments.Sees(distance, sizes.Window)
            ? DeviceMath.Exp(sizes.Scale * dot - lse) * (product - outputDot) * sizes.Scale
            : 0f;

    /// <summary>p of a key and four queries that lie 8 apart; 0 where the query does not see the key.</summary>
    private static Float4 Probabilities(
        Float4 dots, AttentionSizes sizes, Matrix lse, ArrayView<int> positions, int firstQuery, int queries, int head, int keyPosition,
        bool isKey)
    {
        int column = AttentionTile.ScoreColumn;
        dots.X = Probability(dots.X, sizes, lse, positions, firstQuery + column, isKey && column < queries, head, keyPosition);
        dots.Y = Probability(dots.Y, sizes, lse, positions, firstQuery + column + 8, isKey && column + 8 < queries, head, keyPosition);
        dots.Z = Probability(dots.Z, sizes, lse, positions, firstQuery + column + 16, isKey && column + 16 < queries, head, keyPosition);
        dots.W = Probability(dots.W, sizes, lse, positions, firstQuery + column + 24, isKey && column + 24 < queries, head, keyPosition);
        return dots;
    }

    private static float Probability(
        float dot, AttentionSizes sizes, Matrix lse, ArrayView<int> positions, int queryRow, bool isPair, int head, int keyPosition) =>
        isPair && AttentionSegments.Sees(positions[queryRow] - keyPosition, sizes.Window)
            ? DeviceMath.Exp(sizes.Scale * dot - lse[queryRow, head])
            : 0f;

    private static Float4 ScoreGradients(Float4 probabilities, Float4 products, ArrayView<float> dots, float scale)
    {
        int column = AttentionTile.ScoreColumn;
        products.X = probabilities.X * (products.X - dots[column]) * scale;
        products.Y = probabilities.Y * (products.Y - dots[column + 8]) * scale;
        products.Z = probabilities.Z * (products.Z - dots[column + 16]) * scale;
        products.W = probabilities.W * (products.W - dots[column + 24]) * scale;
        return products;
    }
}
