namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Family matmul. C (M, N) = or += op(A) op(B) plus bias: strips of B are packed for the whole team, strips of A by each part
/// for itself, and tiles of C are computed from both (see <see cref="MatmulTile{T}"/>). The forms NN, NT and TN differ in
/// the packing alone. Few rows against B^T skip the packing, whose cost only many rows repay: one dot product an element
/// (see <see cref="SmallMatmul{T}"/>).
/// <para>Parts are blocks of C, never of K: an element's sum does not depend on who computes it. K is cut into equal blocks
/// whose panels stay in cache: C is then updated once a block.</para>
/// Variants: avx512, avx2, vector128, by the register of the tile.
/// </summary>
internal abstract class Matmul
{
    /// <summary>C = or += op(A) op(B), plus a bias row where one is given; see <see cref="Device.Matmul"/>.</summary>
    public abstract void Run(View c, View a, View b, MatmulForm form, bool accumulate, View bias);
}

/// <inheritdoc/>
internal sealed unsafe class Matmul<T>(CpuContext context) : Matmul
    where T : unmanaged, ISimd<T>
{
    // Strips of B of 768 x 32 floats (96 KiB) pass through the L1 cache tile by tile and stay in a 1 MiB L2 cache with the
    // block of A of 24 strips (14 * 24 * 768 floats, 1 MiB); the B panel of 4096 columns (12 MiB) stays in L3.
    private const int MaxBlockK = 768;
    private const int MaxBlockColumns = 4096;
    private const int MaxBlockStrips = 24;
    private const int PackStrips = 4;

    public override void Run(View c, View a, View b, MatmulForm form, bool accumulate, View bias)
    {
        int k = form == MatmulForm.TN ? a.Rows : a.Columns;
        if (c.Rows == 0 || c.Columns == 0) return;
        if (k == 0 || SmallMatmul<T>.Suits(c.Rows, form))
        {
            new SmallMatmul<T>(c, a, b, form, k, accumulate, bias).Run(context.Team);
            return;
        }

        int blocks = (k + MaxBlockK - 1) / MaxBlockK;
        int blockK = (k + blocks - 1) / blocks;
        for (int column = 0; column < c.Columns; column += MaxBlockColumns)
        {
            for (int start = 0; start < k; start += blockK)
            {
                var block = new Block(c, a, b, form, column, Math.Min(MaxBlockColumns, c.Columns - column), start, Math.Min(blockK, k - start))
                {
                    Accumulate = accumulate || start > 0,
                    Bias = start > 0 ? null : bias.Data,
                };
                Multiply(block);
            }
        }
    }

    private void Multiply(Block block)
    {
        int strips = Ceiling(block.Columns, MatmulTile<T>.Columns);
        block.StripB = (long)block.K * MatmulTile<T>.Columns;
        block.PackedB = context.Shared(strips * block.StripB + MatmulTile<T>.Slack);
        context.Team.Run(new PackWork(block, strips), Ceiling(strips, PackStrips));

        // Strips of equal height: 16 rows are 8 + 8, not 14 + 2.
        int rowStrips = Ceiling(block.C.Rows, MatmulTile<T>.MaxRows);
        block.Height = Ceiling(block.C.Rows, rowStrips);
        rowStrips = Ceiling(block.C.Rows, block.Height);
        int wanted = 4 * context.Team.Size;
        block.RowStrips = Math.Clamp(Ceiling(rowStrips, wanted), 1, MaxBlockStrips);
        int rowBlocks = Ceiling(rowStrips, block.RowStrips);
        block.ColumnStrips = Ceiling(strips, Math.Clamp(Ceiling(wanted, rowBlocks), 1, strips));
        block.ColumnBlocks = Ceiling(strips, block.ColumnStrips);
        block.PackedA = context.PerWorker((long)block.RowStrips * block.Height * block.K + MatmulTile<T>.Slack);
        context.Team.Run(new TileWork(block), rowBlocks * block.ColumnBlocks);
    }

    private static int Ceiling(int value, int divisor) => (value + divisor - 1) / divisor;

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
        public float* PackedB;
        public float** PackedA;
        public long StripB;
        public int Height;
        public int RowStrips;
        public int ColumnStrips;
        public int ColumnBlocks;
    }

    /// <summary>Packs strips of B.</summary>
    private readonly struct PackWork(Block block, int strips) : IWork
    {
        public void Run(int part, int worker)
        {
            for (int strip = part * PackStrips; strip < Math.Min(strips, (part + 1) * PackStrips); strip++)
            {
                int column = block.FirstColumn + strip * MatmulTile<T>.Columns;
                int count = Math.Min(MatmulTile<T>.Columns, block.FirstColumn + block.Columns - column);
                float* target = block.PackedB + strip * block.StripB;
                if (block.Form == MatmulForm.NT)
                    MatmulTile<T>.PackLines(block.B.Row(column) + block.FirstK, block.B.Stride, count, MatmulTile<T>.Columns, block.K, target);
                else
                    MatmulTile<T>.PackColumns(block.B.Row(block.FirstK) + column, block.B.Stride, count, MatmulTile<T>.Columns, block.K, target);
            }
        }
    }

    /// <summary>Packs a block of A and computes its tiles with some strips of B.</summary>
    private readonly struct TileWork(Block block) : IWork
    {
        public void Run(int part, int worker)
        {
            float* packedA = block.PackedA[worker];
            int firstRow = part / block.ColumnBlocks * block.RowStrips * block.Height;
            int endRow = Math.Min(block.C.Rows, firstRow + block.RowStrips * block.Height);
            for (int row = firstRow; row < endRow; row += block.Height)
                PackA(row, Math.Min(block.Height, endRow - row), packedA + (long)(row - firstRow) * block.K);

            int firstStrip = part % block.ColumnBlocks * block.ColumnStrips;
            for (int strip = firstStrip; strip < firstStrip + block.ColumnStrips; strip++)
            {
                int column = strip * MatmulTile<T>.Columns;
                if (column >= block.Columns) break;
                for (int row = firstRow; row < endRow; row += block.Height)
                    Tile(row, Math.Min(block.Height, endRow - row), column, packedA + (long)(row - firstRow) * block.K);
            }
        }

        private void PackA(int row, int rows, float* target)
        {
            if (block.Form == MatmulForm.TN)
                MatmulTile<T>.PackColumns(block.A.Row(block.FirstK) + row, block.A.Stride, rows, rows, block.K, target);
            else
                MatmulTile<T>.PackLines(block.A.Row(row) + block.FirstK, block.A.Stride, rows, rows, block.K, target);
        }

        private void Tile(int row, int rows, int column, float* packedA) => MatmulTile<T>.RunPart(
            rows, Math.Min(MatmulTile<T>.Columns, block.Columns - column), block.K, packedA,
            block.PackedB + column / MatmulTile<T>.Columns * block.StripB,
            block.C.Row(row) + block.FirstColumn + column, block.C.Stride, block.Accumulate,
            block.Bias is null ? null : block.Bias + block.FirstColumn + column);
    }
}
