using static RepNoise.Kernels.Cpu.Division;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Family matmul. C (M, N) = or += op(A) op(B) plus bias: strips of B and of A are packed, and tiles of C are computed from
/// both (see <see cref="ITile"/>). The forms NN, NT and TN differ in the packing alone. Few rows against B^T skip the
/// packing, whose cost only many rows repay: one dot product an element (see <see cref="SmallMatmul{T}"/>).
/// <para>Two ways through one block of K. With many rows B is packed once, for the whole team, and every part packs a block of
/// rows of A that stays in its L2 cache. With few rows and many columns (a chunk of logits) all of A stays there, a strip of B
/// has a single reader, and that part packs it just before use: B passes from memory into the L2 cache and no further.</para>
/// <para>Parts are blocks of C, never of K: an element's sum does not depend on who computes it, nor on how many there are.
/// K is cut into equal blocks by its length alone; C is updated once a block.</para>
/// Variants: amx, by the processor's tile registers; avx512, avx2, vector128, by the register of the tile. Measured: docs/kernels/matmul.md.
/// </summary>
internal abstract class Matmul
{
    /// <summary>C = or += op(A) op(B), plus a bias row where one is given; see <see cref="Device.Matmul"/>.</summary>
    public abstract void Run(View c, View a, View b, MatmulForm form, bool accumulate, View bias);
}

/// <inheritdoc/>
/// <typeparam name="T">The register, for products of few rows.</typeparam>
/// <typeparam name="TTile">How tiles are computed.</typeparam>
internal sealed unsafe partial class Matmul<T, TTile>(CpuContext context) : Matmul
    where T : unmanaged, ISimd<T>
    where TTile : unmanaged, ITile
{
    // Measured on a core with 48 KiB of L1 and 2 MiB of L2, which a neighbour may share. K blocks of 512 to 1024 differ by a
    // percent; below 384 the updates of C show. A's block (400 KiB) leaves room for the strips of B (64 KiB) that stream past.
    private const int MaxBlockK = 512;
    private const int BlockFloats = 100 << 10;

    // The whole of A, where B streams: half the L2 cache. A worker repays packing A by a few hundred columns.
    private const int MaxStreamedFloats = 256 << 10;
    private const int MinStreamedColumns = 512;

    // Bounds the packed B: 4096 columns of 512 are 8 MiB, in L3.
    private const int MaxBlockColumns = 4096;
    private const int PackStrips = 4;

    // Neighbouring parts share a block of rows, and a worker takes neighbours: a part may be small, so that a worker held up by
    // the machine delays the others by little. Row blocks a worker: more would read B from L3 more often.
    private const int PartsPerWorker = 16;
    private const int RowBlocksPerWorker = 2;

    // A block of rows this high still repays the strip of B that it reads from L3.
    private const int MinBlockRows = 84;

    public override void Run(View c, View a, View b, MatmulForm form, bool accumulate, View bias)
    {
        int k = form == MatmulForm.TN ? a.Rows : a.Columns;
        if (c.Rows == 0 || c.Columns == 0) return;
        if (k == 0 || SmallMatmul<T>.Suits(c.Rows, form))
        {
            var small = new SmallMatmul<T>(c, a, b, form, k, accumulate, bias);
            if (context.TrafficObserver is not null) context.Note(small.Traffic(context.CacheBytes, context.Team.Size));
            small.Run(context.Team);
            return;
        }

        int blockK = Ceiling(Ceiling(k, Ceiling(k, MaxBlockK)), TTile.Depth) * TTile.Depth;
        bool stays = context.TrafficObserver is not null && NoteWhatStays(c, a, b, bias, blockK);
        bool streams = (long)c.Rows * Math.Min(blockK, k) <= MaxStreamedFloats && c.Columns >= MinStreamedColumns * context.Team.Size;
        int blockColumns = streams ? c.Columns : MaxBlockColumns;
        for (int column = 0; column < c.Columns; column += blockColumns)
        {
            for (int start = 0; start < k; start += blockK)
            {
                var block = new Block(c, a, b, form, column, Math.Min(blockColumns, c.Columns - column), start, Math.Min(blockK, k - start))
                {
                    Accumulate = accumulate || start > 0,
                    Bias = start > 0 ? null : bias.Data,
                };
                Multiply(block, streams, countsTraffic: context.TrafficObserver is not null && !stays);
            }
        }
    }

    private void Multiply(Block block, bool streams, bool countsTraffic)
    {
        block.Height = TTile.Height(block.C.Rows);
        block.StripA = TTile.RowsLength(block.Height, block.K);
        int rowStrips = Ceiling(block.C.Rows, block.Height);
        (int wanted, int wantedRows) = context.Team.Size == 1 ? (1, 1) : (PartsPerWorker * context.Team.Size, RowBlocksPerWorker * context.Team.Size);
        block.RowStrips = streams ? rowStrips : RowStrips(rowStrips, (int)Math.Max(1, BlockFloats / block.StripA), wantedRows, Math.Max(1, MinBlockRows / block.Height));
        int rowBlocks = Ceiling(rowStrips, block.RowStrips);
        int strips = Ceiling(block.Columns, TTile.Columns);
        block.ColumnStrips = Ceiling(strips, Math.Clamp(Ceiling(wanted, rowBlocks), 1, strips));
        block.ColumnBlocks = Ceiling(strips, block.ColumnStrips);
        block.Strips = strips;
        block.StripB = TTile.ColumnsLength(block.K);
        block.LengthA = block.RowStrips * block.StripA + TTile.Slack;
        block.PackedA = context.PerWorker(block.LengthA + (streams ? block.StripB + TTile.Slack : 0));
        if (!streams)
        {
            block.PackedB = context.Shared(strips * block.StripB + TTile.Slack);
            context.Team.Run(new PackWork(block), Ceiling(strips, PackStrips));
        }

        if (countsTraffic) NoteBlock(block, streams, rowBlocks);
        int* held = stackalloc int[context.Team.Size];
        new Span<int>(held, context.Team.Size).Fill(-1);
        block.Held = held;
        context.Team.Run(new TileWork(block), rowBlocks * block.ColumnBlocks);
    }

    /// <summary>Strips in a block of rows: at most what the cache holds, and fewer where that leaves workers without a part.</summary>
    private static int RowStrips(int all, int most, int wanted, int least) =>
        Ceiling(all, Math.Max(Ceiling(all, most), Math.Min(wanted, Ceiling(all, least))));

    /// <summary>One block of K and N, and how it is cut into parts.</summary>
    private struct Block(View c, View a, View b, MatmulForm form, int firstColumn, int columns, int firstK, int k)
    {
        public readonly View C = c;
        public readonly View A = a;
        public readonly View B = b;
        public readonly MatmulForm Form = form;
        public readonly int FirstColumn = firstColumn;
        public readonly int Columns = columns;
        public readonly int FirstK = firstK;
        public readonly int K = k;
        public bool Accumulate;
        public float* Bias;

        /// <summary>All strips of B; null where each part packs its own.</summary>
        public float* PackedB;

        /// <summary>A block of rows of A a worker, and behind it a strip of B where those are not shared.</summary>
        public float** PackedA;

        /// <summary>The row block that a worker's packed A holds, or -1.</summary>
        public int* Held;

        public long LengthA;
        public long StripA;
        public long StripB;
        public int Height;
        public int RowStrips;
        public int ColumnStrips;
        public int ColumnBlocks;
        public int Strips;

        /// <summary>Packs the strip of B that starts at a column of the block.</summary>
        public readonly void PackB(int column, float* target)
        {
            int count = Math.Min(TTile.Columns, Columns - column);
            column += FirstColumn;
            if (Form == MatmulForm.NT)
                TTile.PackColumnLines(B.Row(column) + FirstK, B.Stride, count, K, target);
            else
                TTile.PackColumnsAcross(B.Row(FirstK) + column, B.Stride, count, K, target);
        }

        /// <summary>What the strip after one is read from: packed, the first again after the last, or its source.</summary>
        public readonly Upcoming NextB(int strip)
        {
            if (PackedB is not null) return new Upcoming(PackedB + (strip + 1 < Strips ? strip + 1 : 0) * StripB, StripB, 1, (int)StripB);
            if (strip + 1 == Strips) return default;
            int column = (strip + 1) * TTile.Columns, count = Math.Min(TTile.Columns, Columns - column);
            column += FirstColumn;
            return Form == MatmulForm.NT
                ? new Upcoming(B.Row(column) + FirstK, B.Stride, count, K)
                : new Upcoming(B.Row(FirstK) + column, B.Stride, K, count);
        }

        public readonly void PackA(int row, int rows, float* target)
        {
            if (Form == MatmulForm.TN)
                TTile.PackRowsAcross(A.Row(FirstK) + row, A.Stride, rows, K, target);
            else
                TTile.PackRowLines(A.Row(row) + FirstK, A.Stride, rows, K, target);
        }
    }

    /// <summary>Packs strips of B.</summary>
    private readonly struct PackWork(Block block) : IWork
    {
        public void Run(int part, int worker)
        {
            for (int strip = part * PackStrips; strip < Math.Min(block.Strips, (part + 1) * PackStrips); strip++)
                block.PackB(strip * TTile.Columns, block.PackedB + strip * block.StripB);
        }
    }

    /// <summary>Packs a block of A, unless the worker's last part has, and computes its tiles with some strips of B.</summary>
    private readonly struct TileWork(Block block) : IWork
    {
        public void Run(int part, int worker)
        {
            float* packedA = block.PackedA[worker];
            int rowBlock = part / block.ColumnBlocks;
            int firstRow = rowBlock * block.RowStrips * block.Height;
            int endRow = Math.Min(block.C.Rows, firstRow + block.RowStrips * block.Height);
            if (block.Held[worker] != rowBlock)
            {
                float* strip = packedA;
                for (int row = firstRow; row < endRow; row += block.Height, strip += block.StripA)
                    block.PackA(row, Math.Min(block.Height, endRow - row), strip);
                block.Held[worker] = rowBlock;
            }

            int firstStrip = part % block.ColumnBlocks * block.ColumnStrips;
            int endStrip = Math.Min(firstStrip + block.ColumnStrips, block.Strips);
            TTile.Begin();
            for (int strip = firstStrip; strip < endStrip; strip++)
            {
                int column = strip * TTile.Columns;
                float* packedB = block.PackedB + strip * block.StripB;
                if (block.PackedB is null)
                {
                    packedB = packedA + block.LengthA;
                    block.PackB(column, packedB);
                }

                var nextB = block.NextB(strip);
                for (int row = firstRow, tile = 0; row < endRow; row += block.Height, tile++)
                    Tile(row, Math.Min(block.Height, endRow - row), column, packedA + tile * block.StripA, packedB, nextB.For(tile, block.K));
            }

            TTile.End();
        }

        private void Tile(int row, int rows, int column, float* packedA, float* packedB, Ahead ahead) => TTile.RunPart(
            rows, Math.Min(TTile.Columns, block.Columns - column), block.K, packedA, packedB,
            block.C.Row(row) + block.FirstColumn + column, block.C.Stride, block.Accumulate,
            block.Bias is null ? null : block.Bias + block.FirstColumn + column, ahead);
    }
}
