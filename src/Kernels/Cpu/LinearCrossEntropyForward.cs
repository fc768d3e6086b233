using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>The forward of one block of the vocabulary and some strips of rows; see <see cref="LinearCrossEntropy"/>.</summary>
internal readonly unsafe struct LinearCrossEntropyForward<T, TTile>(LinearCrossEntropyChunk<TTile> chunk, int groups, bool headIsKept, float** scratch) : IWork
    where T : unmanaged, ISimd<T>
    where TTile : unmanaged, ITile
{
    private const int BlockColumns = LinearCrossEntropyChunk<TTile>.BlockColumns;

    /// <summary>Parts: enough for all threads; how rows are grouped does not show in a result.</summary>
    public static int RowGroups(in LinearCrossEntropyChunk<TTile> chunk, int threads) =>
        Math.Clamp((4 * threads + chunk.Blocks - 1) / chunk.Blocks, 1, chunk.Strips);

    /// <summary>Floats of scratch a worker needs: a panel of the head, and logits of a block.</summary>
    public static long ScratchLength(in LinearCrossEntropyChunk<TTile> chunk) =>
        LogitsAt(chunk) + (long)chunk.Strips * TTile.MaxRows * BlockColumns;

    public void Run(int part, int worker)
    {
        int block = part / groups, group = part % groups;
        int first = (int)((long)chunk.Strips * group / groups), end = (int)((long)chunk.Strips * (group + 1) / groups);
        float* logits = scratch[worker] + LogitsAt(chunk);
        TTile.Begin();
        for (int column = 0; column < chunk.ColumnsOf(block); column += TTile.Columns)
        {
            for (int inner = 0; inner < chunk.InnerBlocks; inner++) Multiply(block, column, inner, first, end, scratch[worker], logits + column);
        }

        TTile.End();
        int endRow = Math.Min(chunk.X.Rows, end * TTile.MaxRows);
        for (int row = first * TTile.MaxRows; row < endRow; row++, logits += BlockColumns) Finish(block, row, logits);
        SimdMath.StreamFence();
    }

    /// <summary>Packs the panel of the head that starts at a column of a block.</summary>
    public static void PackHead(in LinearCrossEntropyChunk<TTile> chunk, int block, int column, int inner, float* panel)
    {
        int k = inner * chunk.Inner, count = Math.Min(chunk.Inner, chunk.X.Columns - k);
        int columns = Math.Min(TTile.Columns, chunk.ColumnsOf(block) - column);
        float* head = chunk.Weight.Row((long)block * BlockColumns + column) + k;
        TTile.PackColumnLines(head, chunk.Weight.Stride, columns, count, panel);
    }

    private static long LogitsAt(in LinearCrossEntropyChunk<TTile> chunk) =>
        (TTile.ColumnsLength(chunk.Inner) + TTile.Slack + 15) & ~15L;

    /// <summary>Adds one block of C to the logits of a panel of the head and the part's strips of rows.</summary>
    private void Multiply(int block, int column, int inner, int firstStrip, int endStrip, float* panel, float* logits)
    {
        int count = Math.Min(chunk.Inner, chunk.X.Columns - inner * chunk.Inner);
        int columns = Math.Min(TTile.Columns, chunk.ColumnsOf(block) - column);
        if (headIsKept) panel = chunk.HeadPanel(block, column, inner);
        else PackHead(chunk, block, column, inner, panel);
        var next = NextPanel(block, column, inner, count);
        for (int strip = firstStrip; strip < endStrip; strip++)
        {
            int rows = Math.Min(TTile.MaxRows, chunk.X.Rows - strip * TTile.MaxRows);
            TTile.RunPart(rows, columns, count, chunk.Strip(strip, inner), panel, logits, BlockColumns, inner > 0, null, next.For(strip - firstStrip, count));
            logits += TTile.MaxRows * BlockColumns;
        }
    }

    /// <summary>What the panel after one is read from: packed, or the rows of the head behind it. A guess where C has several blocks.</summary>
    private Upcoming NextPanel(int block, int column, int inner, int count)
    {
        int width = TTile.Columns, length = (int)TTile.ColumnsLength(count);
        if (headIsKept) return new Upcoming(chunk.HeadPanel(block, column, inner) + length, length, 1, length);
        long row = (long)block * BlockColumns + column + width;
        return row + width <= chunk.Weight.Rows
            ? new Upcoming(chunk.Weight.Row(row) + inner * chunk.Inner, chunk.Weight.Stride, width, count)
            : default;
    }

    /// <summary>Notes maximum, sum and the target's logit of a row, and keeps the exponentials where the gradient needs them.</summary>
    private void Finish(int block, int row, float* z)
    {
        int columns = chunk.ColumnsOf(block), target = chunk.Targets[row] - block * BlockColumns;
        if ((uint)target < (uint)columns) chunk.Chosen[row] = z[target];
        float max = SimdMath.MaxOf<T>(z, columns);
        chunk.Max(block)[row] = max;
        float shift = float.IsNegativeInfinity(max) ? 0 : max; // a block of zero probabilities, and not of NaN
        float* e = chunk.HasGradients ? chunk.Exponentials(block) + (long)row * columns : z;
        bool streams = chunk.StreamsExponentials && columns % (2 * T.Width) == 0 && (nuint)e % (nuint)(T.Width * sizeof(float)) == 0;
        chunk.Scale(block)[row] = Exponentials(z, shift, columns, e, streams);
    }

    /// <summary>e = exp(z - shift), and their sum: at most <see cref="BlockColumns"/> terms, so in float32. Whole aligned registers may pass the caches.</summary>
    [MethodImpl(KernelLoop.Options)]
    private static float Exponentials(float* z, float max, int columns, float* e, bool streams)
    {
        T shift = T.Create(max), even = default, odd = default;
        int i = 0;
        for (; i + 2 * T.Width <= columns; i += 2 * T.Width)
        {
            T x = SimdMath.Exp(T.Load(z + i) - shift), y = SimdMath.Exp(T.Load(z + i + T.Width) - shift);
            if (streams)
            {
                SimdMath.StoreStreaming(x, e + i);
                SimdMath.StoreStreaming(y, e + i + T.Width);
            }
            else
            {
                T.Store(x, e + i);
                T.Store(y, e + i + T.Width);
            }

            even += x;
            odd += y;
        }

        for (; i < columns; i += T.Width)
        {
            int left = columns - i;
            SimdMath.Store(SimdMath.Exp(SimdMath.Load<T>(z + i, left) - shift), e + i, left);
            even += SimdMath.Load<T>(e + i, left); // read back: zeros behind the end
        }

        return T.SumAcross(even + odd);
    }
}
