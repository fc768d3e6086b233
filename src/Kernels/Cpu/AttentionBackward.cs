using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// The backward of one family of segments and one key/value head, whose keys no other part touches. With P = exp(scale * S -
/// lse), S = Q K^T and D = rowsum(dO * O): dV = P^T dO, dP = dO V^T, dS = scale * P * (dP - D), dQ = dS K, dK = dS^T Q.
/// Segments in order; within one, chunks of keys, then query heads of the group, then blocks of query rows: the order in
/// which a key's gradient is summed. dQ, dK and dV start at zero.
/// </summary>
internal readonly unsafe struct AttentionBackward<T>(
    AttentionBatch batch, View dQ, View dK, View dV, View dOutput, View lse, float* dots, float** scratch) : IWork
    where T : unmanaged, ISimd<T>
{
    /// <summary>Keys of a chunk: four packed forms and two matrices of scores stay within L2.</summary>
    public const int ChunkKeys = 128;

    /// <summary>Query rows of a block.</summary>
    public const int BlockRows = 56;

    private int HeadSize => batch.HeadSize;

    /// <summary>Floats of scratch a worker needs.</summary>
    public static long ScratchLength(in AttentionBatch batch) => new Areas(null, batch.HeadSize).Length;

    public void Run(int part, int worker)
    {
        int head = part % batch.KeyValueHeads, family = part / batch.KeyValueHeads;
        var areas = new Areas(scratch[worker], batch.HeadSize);
        for (int i = 0; i < batch.SegmentCount; i++)
        {
            var segment = batch.Segment(i, out int itsFamily);
            if (itsFamily == family && segment.QueryCount > 0) RunSegment(segment, head, areas);
        }
    }

    private void RunSegment(in AttentionSegment segment, int keyValueHead, in Areas areas)
    {
        long channel = (long)keyValueHead * HeadSize;
        int lastRow = segment.QueryRow + segment.QueryCount - 1;
        int key = batch.Visible(segment, segment.QueryRow).First, end = batch.Visible(segment, lastRow).End;
        while (key < end)
        {
            var chunk = AttentionBatch.Chunk(segment, key, end, ChunkKeys);
            float* keys = batch.K.Row(chunk.Row) + channel;
            Panels<T>.Keys(areas.KeyLines, keys, batch.K.Stride, chunk.Count, HeadSize);
            Panels<T>.Values(areas.KeyRows, keys, batch.K.Stride, chunk.Count, HeadSize);
            Panels<T>.Keys(areas.ValueLines, batch.V.Row(chunk.Row) + channel, batch.V.Stride, chunk.Count, HeadSize);
            for (int g = 0; g < batch.GroupSize; g++)
            {
                for (int row = segment.QueryRow; row <= lastRow; row += BlockRows)
                    RunBlock(segment, chunk, keyValueHead, g, row, Math.Min(BlockRows, lastRow + 1 - row), areas);
            }

            key += chunk.Count;
        }
    }

    private void RunBlock(in AttentionSegment segment, KeyChunk chunk, int keyValueHead, int g, int firstRow, int rows, in Areas areas)
    {
        int head = keyValueHead * batch.GroupSize + g;
        var (first, end) = (batch.Visible(segment, firstRow).First, batch.Visible(segment, firstRow + rows - 1).End);
        if (end <= chunk.First || first >= chunk.First + chunk.Count) return;
        int height = MatmulTile<T>.MaxRows;
        for (int row = 0; row < rows; row += height)
            Scores(segment, chunk, head, firstRow + row, Math.Min(height, rows - row), areas, (long)row * ChunkKeys);

        // Sums over the block's rows: P^T dO and dS^T Q, in strips of keys.
        long channel = (long)head * HeadSize, keyChannel = (long)keyValueHead * HeadSize;
        Panels<T>.Values(areas.Rows, dOutput.Row(firstRow) + channel, dOutput.Stride, rows, HeadSize);
        Panels<T>.Values(areas.MoreRows, batch.Q.Row(firstRow) + channel, batch.Q.Stride, rows, HeadSize);
        int skipped = 0;
        for (int key = 0; key < chunk.Clip((0, end)).End; key += height)
        {
            // Rows of strips before the first that sees the keys have neither P nor dS there.
            while (chunk.Clip(batch.Visible(segment, firstRow + Math.Min(skipped + height, rows) - 1)).End <= key) skipped += height;
            int keys = Math.Min(height, chunk.Count - key);
            AddTransposed(dV.Row(chunk.Row + key) + keyChannel, dV.Stride, areas.P + key, keys, areas.Rows, skipped, rows, areas.Strip);
            AddTransposed(dK.Row(chunk.Row + key) + keyChannel, dK.Stride, areas.DS + key, keys, areas.MoreRows, skipped, rows, areas.Strip);
        }
    }

    /// <summary>P and dS of one strip of query rows, and its dQ.</summary>
    private void Scores(in AttentionSegment segment, KeyChunk chunk, int head, int row, int count, in Areas areas, long at)
    {
        long channel = (long)head * HeadSize;
        int keys = chunk.Clip(batch.Visible(segment, row + count - 1)).End; // the strip's last row sees farthest
        if (keys == 0) return;
        MatmulTile<T>.PackLines(batch.Q.Row(row) + channel, batch.Q.Stride, count, count, HeadSize, areas.Strip);
        Panels<T>.Multiply(areas.P + at, ChunkKeys, areas.Strip, areas.KeyLines, count, keys, HeadSize, false);
        MatmulTile<T>.PackLines(dOutput.Row(row) + channel, dOutput.Stride, count, count, HeadSize, areas.Strip);
        Panels<T>.Multiply(areas.DS + at, ChunkKeys, areas.Strip, areas.ValueLines, count, keys, HeadSize, false);
        for (int i = 0; i < count; i++)
        {
            var visible = chunk.Clip(batch.Visible(segment, row + i));
            float dot = dots[(long)(row + i) * lse.Columns + head];
            Row(areas.P + at + (long)i * ChunkKeys, areas.DS + at + (long)i * ChunkKeys, visible, ClearedKeys(keys, chunk.Count), lse.Row(row + i)[head], dot);
        }

        MatmulTile<T>.PackLines(areas.DS + at, ChunkKeys, count, count, keys, areas.Strip);
        int width = MatmulTile<T>.Columns;
        for (int column = 0; column < HeadSize; column += width)
        {
            MatmulTile<T>.RunPart(count, Math.Min(width, HeadSize - column), keys, areas.Strip, areas.KeyRows + (long)column * chunk.Count,
                dQ.Row(row) + channel + column, dQ.Stride, true, null);
        }
    }

    /// <summary>Scores become probabilities and dP becomes dS, zero where the row sees nothing.</summary>
    [MethodImpl(KernelLoop.Options)]
    private void Row(float* p, float* dS, (int First, int End) visible, int count, float logSumExp, float dot)
    {
        new Span<float>(p, visible.First).Clear();
        new Span<float>(dS, visible.First).Clear();
        new Span<float>(p + visible.End, count - visible.End).Clear();
        new Span<float>(dS + visible.End, count - visible.End).Clear();
        T scale = T.Create(batch.Scale), shift = T.Create(-logSumExp), mean = T.Create(dot);
        for (int i = visible.First; i < visible.End; i += T.Width)
        {
            int left = visible.End - i;
            var probability = SimdMath.Exp(T.MultiplyAdd(SimdMath.Load<T>(p + i, left), scale, shift));
            SimdMath.Store(probability, p + i, left);
            SimdMath.Store(probability * (SimdMath.Load<T>(dS + i, left) - mean) * scale, dS + i, left);
        }
    }

    /// <summary>target (keys, HS) += matrix^T rows, with a strip of the matrix's keys and the packed rows of the block from one on.</summary>
    private void AddTransposed(float* target, long stride, float* matrix, int keys, float* packedRows, int firstRow, int rows, float* strip)
    {
        int count = rows - firstRow, width = MatmulTile<T>.Columns;
        MatmulTile<T>.PackColumns(matrix + (long)firstRow * ChunkKeys, ChunkKeys, keys, keys, count, strip);
        for (int column = 0; column < HeadSize; column += width)
        {
            MatmulTile<T>.RunPart(keys, Math.Min(width, HeadSize - column), count, strip, packedRows + (long)column * rows + (long)firstRow * width,
                target + column, stride, true, null);
        }
    }

    /// <summary>
    /// Keys of a row that must be zero where it does not see them: those of the strips of keys that its strip of rows takes part in.
    /// </summary>
    private static int ClearedKeys(int keys, int chunkKeys) =>
        Math.Min(chunkKeys, (keys + MatmulTile<T>.MaxRows - 1) / MatmulTile<T>.MaxRows * MatmulTile<T>.MaxRows);

    /// <summary>A worker's scratch.</summary>
    private readonly struct Areas
    {
        public readonly float* KeyLines;
        public readonly float* KeyRows;
        public readonly float* ValueLines;
        public readonly float* Rows;
        public readonly float* MoreRows;
        public readonly float* P;
        public readonly float* DS;
        public readonly float* Strip;
        public readonly long Length;

        public Areas(float* start, int headSize)
        {
            float* at = start;
            KeyLines = Take(ref at, Panels<T>.Length(ChunkKeys, headSize));
            KeyRows = Take(ref at, Panels<T>.Length(headSize, ChunkKeys));
            ValueLines = Take(ref at, Panels<T>.Length(ChunkKeys, headSize));
            Rows = Take(ref at, Panels<T>.Length(headSize, BlockRows));
            MoreRows = Take(ref at, Panels<T>.Length(headSize, BlockRows));
            P = Take(ref at, BlockRows * ChunkKeys);
            DS = Take(ref at, BlockRows * ChunkKeys);
            Strip = Take(ref at, (long)MatmulTile<T>.MaxRows * Math.Max(Math.Max(ChunkKeys, headSize), BlockRows) + MatmulTile<T>.Slack);
            Length = at - start;
        }

        private static float* Take(ref float* at, long length)
        {
            float* area = at;
            at += (length + 15) & ~15L;
            return area;
        }
    }
}
