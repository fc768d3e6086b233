using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// The backward of one slot of vocabulary blocks and one group of columns; see <see cref="LinearCrossEntropy"/>. Packing a block's
/// exponentials for either product makes dz of them, less the target's share.
/// </summary>
internal readonly unsafe struct LinearCrossEntropyBackward<T, TTile>(LinearCrossEntropyChunk<TTile> chunk, View dWeight, float** scratch) : IWork
    where T : unmanaged, ISimd<T>
    where TTile : unmanaged, ITile
{
    private const int BlockColumns = LinearCrossEntropyChunk<TTile>.BlockColumns;

    /// <summary>Floats of scratch a worker needs; never less for more rows.</summary>
    public static long ScratchLength(in LinearCrossEntropyChunk<TTile> chunk) => new Areas(null, chunk).Length;

    public void Run(int part, int worker)
    {
        int slot = part / chunk.Groups, column = part % chunk.Groups * LinearCrossEntropyChunk<TTile>.GroupColumns;
        int columns = Math.Min(LinearCrossEntropyChunk<TTile>.GroupColumns, chunk.X.Columns - column);
        int first = (int)((long)chunk.Blocks * slot / chunk.Slots), end = (int)((long)chunk.Blocks * (slot + 1) / chunk.Slots);
        var areas = new Areas(scratch[worker], chunk);
        TTile.Begin();
        for (int block = first; block < end; block++)
        {
            PackHead(block, column, columns, areas.Head);
            for (int pass = 0; pass < chunk.Passes; pass++)
            {
                int row = pass * chunk.RowsOfPass, rows = Math.Min(chunk.RowsOfPass, chunk.X.Rows - row);
                AddToRows(block, row, rows, column, columns, slot, block > first, areas);
                if (!dWeight.IsEmpty) AddToHead(block, pass, rows, column, columns, areas, Next(block, pass, end), NextHead(block, pass, end, column, columns));
            }

            if (!dWeight.IsEmpty) SubtractTargets(block, column, columns);
        }

        TTile.End();
    }

    /// <summary>Some columns of a block's rows of the head, the right side of the product with dz.</summary>
    private void PackHead(int block, int column, int columns, float* panel)
    {
        int tokens = chunk.ColumnsOf(block);
        float* head = chunk.Weight.Row((long)block * BlockColumns) + column;
        for (int i = 0; i < columns; i += TTile.Columns, panel += TTile.ColumnsLength(tokens))
            TTile.PackColumnsAcross(head + i, chunk.Weight.Stride, Math.Min(TTile.Columns, columns - i), tokens, panel);
    }

    /// <summary>The slot's dX = or += dz W.</summary>
    private void AddToRows(int block, int firstRow, int rows, int column, int columns, int slot, bool accumulate, in Areas areas)
    {
        float* exponentials = Exponentials(block, firstRow), scales = chunk.Scale(block) + firstRow;
        int k = chunk.ColumnsOf(block), height = TTile.MaxRows, width = TTile.Columns;
        long stripLength = TTile.RowsLength(height, k);
        float* strip = areas.Strips, panel = areas.Head;
        for (int row = 0; row < rows; row += height, strip += stripLength)
            TTile.PackRowLines(exponentials + (long)row * k, k, Math.Min(height, rows - row), k, strip, scales + row);
        for (int i = 0; i < columns; i += width, panel += TTile.ColumnsLength(k))
        {
            strip = areas.Strips;
            for (int row = 0; row < rows; row += height, strip += stripLength)
            {
                TTile.RunPart(Math.Min(height, rows - row), Math.Min(width, columns - i), k, strip, panel,
                    chunk.Slot(slot, firstRow + row) + column + i, chunk.X.Columns, accumulate, null);
            }
        }
    }

    /// <summary>The block's dWeight += dz^T x.</summary>
    private void AddToHead(int block, int pass, int rows, int column, int columns, in Areas areas, Upcoming next, Upcoming nextHead)
    {
        int firstRow = pass * chunk.RowsOfPass;
        float* exponentials = Exponentials(block, firstRow), scales = chunk.Scale(block) + firstRow;
        int tokens = chunk.ColumnsOf(block), height = TTile.MaxRows, width = TTile.Columns;
        long stripLength = TTile.RowsLength(height, rows);
        float* strip = areas.Strips;
        for (int token = 0; token < tokens; token += height, strip += stripLength)
            TTile.PackRowsAcross(exponentials + token, tokens, Math.Min(height, tokens - token), rows, strip, scales);

        int tile = 0, tilesOfNext = next.Tiles(rows);
        for (int i = 0; i < columns; i += width)
        {
            float* panel = chunk.Panel(pass, (column + i) / width);
            strip = areas.Strips;
            for (int token = 0; token < tokens; token += height, tile++, strip += stripLength)
            {
                var ahead = tile < tilesOfNext ? next.For(tile, rows) : nextHead.For(tile - tilesOfNext, rows);
                TTile.RunPart(Math.Min(height, tokens - token), Math.Min(width, columns - i), rows, strip, panel,
                    dWeight.Row((long)block * BlockColumns + token) + column + i, dWeight.Stride, true, null, ahead);
            }
        }
    }

    /// <summary>The exponentials of the next pass, of this block or the next.</summary>
    private Upcoming Next(int block, int pass, int end)
    {
        (block, pass) = pass + 1 < chunk.Passes ? (block, pass + 1) : (block + 1, 0);
        if (block == end) return default;
        int row = pass * chunk.RowsOfPass, columns = chunk.ColumnsOf(block);
        return new Upcoming(Exponentials(block, row), columns, Math.Min(chunk.RowsOfPass, chunk.X.Rows - row), columns);
    }

    /// <summary>The head's rows of the next block, after the last pass over this one.</summary>
    private Upcoming NextHead(int block, int pass, int end, int column, int columns) => pass + 1 < chunk.Passes || block + 1 == end
        ? default
        : new Upcoming(chunk.Weight.Row((block + 1L) * BlockColumns) + column, chunk.Weight.Stride, chunk.ColumnsOf(block + 1), columns);

    private float* Exponentials(int block, int row) => chunk.Exponentials(block) + (long)row * chunk.ColumnsOf(block);

    /// <summary>dWeight[target] -= factor * x for each entry, rows in order.</summary>
    private void SubtractTargets(int block, int column, int columns)
    {
        for (int row = 0; row < chunk.X.Rows; row++)
        {
            int target = chunk.Targets[row];
            if (target / BlockColumns == block) Subtract(dWeight.Row(target) + column, chunk.X.Row(row) + column, columns, chunk.Factor * chunk.Entries(row));
        }
    }

    [MethodImpl(KernelLoop.Options)]
    private static void Subtract(float* target, float* x, int columns, float factor) => SimdMath.AddScaled<T>(target, x, columns, -factor);

    /// <summary>A worker's scratch: the head's block in panels, and dz in strips.</summary>
    private readonly struct Areas
    {
        public readonly float* Head;
        public readonly float* Strips;
        public readonly long Length;

        public Areas(float* start, in LinearCrossEntropyChunk<TTile> chunk)
        {
            int columns = Math.Min(LinearCrossEntropyChunk<TTile>.GroupColumns, chunk.X.Columns);
            Head = start;
            Strips = Head + (columns + TTile.Columns - 1) / TTile.Columns * TTile.ColumnsLength(BlockColumns) + TTile.Slack;
            Length = Strips - start + Math.Max(StripsLength(chunk.RowsOfLargestPass, BlockColumns), StripsLength(BlockColumns, chunk.RowsOfLargestPass));
        }

        private static long StripsLength(int rows, int k) => (rows + TTile.MaxRows - 1) / TTile.MaxRows * TTile.RowsLength(TTile.MaxRows, k) + TTile.Slack;
    }
}
