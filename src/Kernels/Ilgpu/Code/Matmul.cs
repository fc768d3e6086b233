using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>An operand of a product by outer index (m of A, n of B) and inner index k, whichever of them is consecutive.</summary>
internal readonly struct MatmulOperand(ArrayView<float> data, int outer, int outerStride, int innerStride)
{
    public readonly ArrayView<float> Data = data;
    public readonly int Outer = outer;
    public readonly int OuterStride = outerStride;
    public readonly int InnerStride = innerStride;
}

/// <summary>Size of a group and of its tile.</summary>
internal interface IMatmulShape
{
    /// <summary>Threads along each side of a group, a multiple of 8; the tile has 8 times as many elements a side.</summary>
    static abstract int Side { get; }
}

/// <summary>256 threads, a tile of 128 x 128, inner steps of 8: large products on a GPU.</summary>
internal readonly struct Side16 : IMatmulShape
{
    public static int Side => 16;
}

/// <summary>64 threads, a tile of 64 x 64, inner steps of 4: small products, and accelerators with small groups.</summary>
internal readonly struct Side8 : IMatmulShape
{
    public static int Side => 8;
}

/// <summary>
/// Family matmul: tiles in shared memory, 8 x 8 elements a thread in registers. The inner dimension advances in steps whose
/// tiles are transposed to (k, outer) on their way into shared memory; while one step is computed the next is loaded into
/// registers, then written to the other of two buffers, so that a step costs one barrier. A thread's elements lie in four
/// 4 x 4 pieces, one per quarter of the tile: its reads of shared memory are 16 bytes wide and free of bank conflicts.
/// One kernel serves every form, for a form is a choice of strides.
/// </summary>
internal static class MatmulCode
{
    /// <summary>Pieces of a step that each thread loads, of either operand.</summary>
    private const int Loads = 4;

    /// <summary>Rows of tiles that are walked column by column before the next ones, so that both operands stay in cache.</summary>
    private const int Band = 8;

    /// <summary>The product by groups of 16 x 16 threads; see <see cref="Multiply{TShape}"/>.</summary>
    public static void Tile128(
        MatmulOperand a, MatmulOperand b, Matrix c, ArrayView<float> bias, int inner, int depth, int isAdded, int hasBias) =>
        Multiply<Side16>(a, b, c, bias, inner, depth, isAdded, hasBias);

    /// <summary>The product by groups of 8 x 8 threads; see <see cref="Multiply{TShape}"/>.</summary>
    public static void Tile64(
        MatmulOperand a, MatmulOperand b, Matrix c, ArrayView<float> bias, int inner, int depth, int isAdded, int hasBias) =>
        Multiply<Side8>(a, b, c, bias, inner, depth, isAdded, hasBias);

    /// <summary>target (M, N) = or += sum of the splits' partial products in order, plus the bias. A thread per element.</summary>
    /// <param name="target">(M, N).</param>
    /// <param name="partials">(M, N), the first split's; the others follow.</param>
    /// <param name="bias">N values where <paramref name="hasBias"/> is not 0.</param>
    /// <param name="splits">Number of splits.</param>
    /// <param name="isAdded">0 writes the target.</param>
    /// <param name="hasBias">0 adds no bias.</param>
    public static void AddSplits(Matrix target, Matrix partials, ArrayView<float> bias, int splits, int isAdded, int hasBias)
    {
        long size = (long)partials.Rows * partials.Columns;
        for (int row = Grid.IdxY; row < target.Rows; row += Grid.DimY)
        {
            for (int column = ElementwiseCode.FirstColumn(); column < target.Columns; column += ElementwiseCode.ColumnStep())
            {
                long at = (long)row * partials.Stride + column;
                float sum = 0f;
                for (int split = 0; split < splits; split++) sum += partials.Data[split * size + at];
                StoreElement(target, row, column, sum, bias, isAdded, hasBias);
            }
        }
    }

    /// <summary>
    /// c (M, N) = or += sum over k of a[m, k] b[n, k], plus the bias. Grid (tiles, splits): a split takes a stretch of k of the
    /// given depth and, where there are several, writes a dense (M, N) product of its own behind those before it.
    /// </summary>
    private static void Multiply<TShape>(
        MatmulOperand a, MatmulOperand b, Matrix c, ArrayView<float> bias, int inner, int depth, int isAdded, int hasBias)
        where TShape : struct, IMatmulShape
    {
        int step = TShape.Side / 2, tile = 8 * TShape.Side, pitch = (tile + 4) / 4;
        var tilesA = SharedMemory.Allocate<Float4>(2 * (TShape.Side / 2) * ((8 * TShape.Side + 4) / 4));
        var tilesB = SharedMemory.Allocate<Float4>(2 * (TShape.Side / 2) * ((8 * TShape.Side + 4) / 4));
        int thread = Group.IdxX, tx = thread % TShape.Side, ty = thread / TShape.Side;
        TileOf(c, tile, out int firstRow, out int firstColumn);
        int begin = Grid.IdxY * depth, end = begin + depth < inner ? begin + depth : inner;
        long product = (long)Grid.IdxY * c.Rows * c.Columns;
        var target = new Matrix(c.Data.SubView(product, c.Data.Length - product), c.Rows, c.Columns, c.Stride);
        var loadA = new TileLoader<TShape>(a, firstRow, thread);
        var loadB = new TileLoader<TShape>(b, firstColumn, thread);
        Accumulators sums = default;
        var nextA = loadA.Load(a, begin, end);
        var nextB = loadB.Load(b, begin, end);
        int buffer = 0;
        for (int k = begin; k < end; k += step)
        {
            loadA.Store(tilesA, buffer * step * pitch, nextA);
            loadB.Store(tilesB, buffer * step * pitch, nextB);
            Group.Barrier();
            nextA = loadA.Load(a, k + step, end);
            nextB = loadB.Load(b, k + step, end);
            // Unrolled by four, for neither ILGPU nor the driver's compiler can be relied on to.
            for (int at = buffer * step * pitch; at < (buffer + 1) * step * pitch; at += 4 * pitch)
            {
                sums = Accumulators.Step(sums, tilesA, tilesB, at + ty, at + tx, TShape.Side);
                sums = Accumulators.Step(sums, tilesA, tilesB, at + pitch + ty, at + pitch + tx, TShape.Side);
                sums = Accumulators.Step(sums, tilesA, tilesB, at + 2 * pitch + ty, at + 2 * pitch + tx, TShape.Side);
                sums = Accumulators.Step(sums, tilesA, tilesB, at + 3 * pitch + ty, at + 3 * pitch + tx, TShape.Side);
            }

            // The next step writes the other buffer; whoever still reads this one is waited for at the barrier after that write.
            buffer = 1 - buffer;
        }

        int row = firstRow + 4 * ty, column = firstColumn + 4 * tx, half = tile / 2;
        StoreRow(target, row, column, half, sums.Row0, bias, isAdded, hasBias);
        StoreRow(target, row + 1, column, half, sums.Row1, bias, isAdded, hasBias);
        StoreRow(target, row + 2, column, half, sums.Row2, bias, isAdded, hasBias);
        StoreRow(target, row + 3, column, half, sums.Row3, bias, isAdded, hasBias);
        StoreRow(target, row + half, column, half, sums.Row4, bias, isAdded, hasBias);
        StoreRow(target, row + half + 1, column, half, sums.Row5, bias, isAdded, hasBias);
        StoreRow(target, row + half + 2, column, half, sums.Row6, bias, isAdded, hasBias);
        StoreRow(target, row + half + 3, column, half, sums.Row7, bias, isAdded, hasBias);
    }

    /// <summary>This group's tile, in bands of rows of tiles.</summary>
    private static void TileOf(Matrix c, int tile, out int firstRow, out int firstColumn)
    {
        int rows = (c.Rows + tile - 1) / tile, columns = (c.Columns + tile - 1) / tile;
        int band = Grid.IdxX / (Band * columns), within = Grid.IdxX - band * Band * columns;
        int height = rows - band * Band;
        if (height > Band) height = Band;
        firstRow = (band * Band + within % height) * tile;
        firstColumn = within / height * tile;
    }

    private static void StoreRow(
        Matrix c, int row, int column, int half, TileRow values, ArrayView<float> bias, int isAdded, int hasBias)
    {
        if (row >= c.Rows) return;
        StoreElement(c, row, column, values.Left.X, bias, isAdded, hasBias);
        StoreElement(c, row, column + 1, values.Left.Y, bias, isAdded, hasBias);
        StoreElement(c, row, column + 2, values.Left.Z, bias, isAdded, hasBias);
        StoreElement(c, row, column + 3, values.Left.W, bias, isAdded, hasBias);
        StoreElement(c, row, column + half, values.Right.X, bias, isAdded, hasBias);
        StoreElement(c, row, column + half + 1, values.Right.Y, bias, isAdded, hasBias);
        StoreElement(c, row, column + half + 2, values.Right.Z, bias, isAdded, hasBias);
        StoreElement(c, row, column + half + 3, values.Right.W, bias, isAdded, hasBias);
    }

    private static void StoreElement(Matrix c, int row, int column, float value, ArrayView<float> bias, int isAdded, int hasBias)
    {
        if (column >= c.Columns) return;
        if (hasBias != 0) value += bias[column];
        c[row, column] = isAdded != 0 ? c[row, column] + value : value;
    }

    /// <summary>
    /// Which elements of a step a thread loads: along k where k is consecutive in memory, else along the outer index, so that
    /// neighbours read neighbours.
    /// </summary>
    private readonly struct TileLoader<TShape>
        where TShape : struct, IMatmulShape
    {
        private readonly int outer;
        private readonly int inner;
        private readonly int outerStep;
        private readonly int innerStep;
        private readonly int firstOuter;

        public TileLoader(MatmulOperand operand, int firstOuter, int thread)
        {
            int step = TShape.Side / 2, tile = 8 * TShape.Side;
            bool isInnerConsecutive = operand.InnerStride == 1;
            int width = isInnerConsecutive ? step : tile;
            int along = thread % width, across = thread / width;
            outer = isInnerConsecutive ? across : along;
            inner = isInnerConsecutive ? along : across;
            outerStep = isInnerConsecutive ? tile / Loads : 0;
            innerStep = isInnerConsecutive ? 0 : step / Loads;
            this.firstOuter = firstOuter;
        }

        /// <summary>Four elements of the step that begins at k, zeros beyond the matrix.</summary>
        public Float4 Load(MatmulOperand operand, int k, int end)
        {
            Float4 result;
            result.X = Element(operand, 0, k, end);
            result.Y = Element(operand, 1, k, end);
            result.Z = Element(operand, 2, k, end);
            result.W = Element(operand, 3, k, end);
            return result;
        }

        public void Store(ArrayView<Float4> tiles, int at, Float4 values)
        {
            var elements = tiles.Cast<float>();
            int pitch = 8 * TShape.Side + 4, first = 4 * at + inner * pitch + outer, next = innerStep * pitch + outerStep;
            elements[first] = values.X;
            elements[first + next] = values.Y;
            elements[first + 2 * next] = values.Z;
            elements[first + 3 * next] = values.W;
        }

        private float Element(MatmulOperand operand, int load, int k, int end)
        {
            // Beyond the matrix its first element is read and not used: a choice of values costs less than a branch around a load.
            int row = firstOuter + outer + load * outerStep, column = k + inner + load * innerStep;
            bool isInside = row < operand.Outer && column < end;
            int safeRow = isInside ? row : 0, safeColumn = isInside ? column : 0;
            float value = operand.Data[(long)safeRow * operand.OuterStride + (long)safeColumn * operand.InnerStride];
            return isInside ? value : 0f;
        }
    }
}
