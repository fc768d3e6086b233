using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>Head layout of an attention, its scale and window.</summary>
internal readonly struct AttentionSizes(AttentionShape shape)
{
    public readonly int GroupSize = shape.GroupSize;
    public readonly int HeadSize = shape.HeadSize;
    public readonly int Window = shape.Window ?? int.MaxValue;
    public readonly float Scale = (float)shape.Scale;
}

/// <summary>Rows of a matrix by number: up to a split from one row on, after it from another; context and own keys.</summary>
internal readonly struct RowMap(int split, int first, int second)
{
    private readonly int split = split;
    private readonly int first = first;
    private readonly int second = second;

    /// <summary>Consecutive rows.</summary>
    public static RowMap From(int first) => new(int.MaxValue, first, 0);

    public int this[int row] => row < split ? first + row : second + row - split;
}

/// <summary>Rows of one head within a matrix: a tile's operand.</summary>
internal readonly struct HeadRows(Matrix matrix, RowMap map, int first, int count, int column)
{
    public readonly Matrix Matrix = matrix;
    public readonly RowMap Map = map;
    public readonly int First = first;
    public readonly int Count = count;
    public readonly int Column = column;

    public ref float this[int row, int channel] => ref Matrix[Map[First + row], Column + channel];
}

/// <summary>A thread's scores: rows 2i and 2i + 1 of the tile, columns j, j + 8, j + 16 and j + 24.</summary>
internal struct TileScores
{
    public Float4 First;
    public Float4 Second;
}

/// <summary>
/// The two products that attention is made of, on tiles of (threads / 4) rows by 32 columns: scores from two operands, and
/// sums of a third operand's rows weighted by a tile. Channels go through shared memory 64 at a time, so any head size fits;
/// sums live in the output itself, each element with one thread.
/// </summary>
internal static class AttentionTile
{
    public const int Columns = 32;
    public const int MaxRows = 32;

    /// <summary>Channels in shared memory at a time.</summary>
    public const int Channels = 64;

    /// <summary>Odd, so that equal channels of neighbouring rows lie in different banks.</summary>
    public const int Pitch = Channels + 1;

    /// <summary>Rows of a column of weights, padded; a multiple of 4 for 16-byte reads.</summary>
    public const int WeightPitch = MaxRows + 4;

    private const int ColumnThreads = 8;
    private const int AccumulatorRows = 8;
    private const int WarpLanes = 32;

    public static int Rows => Group.DimX / 4;

    /// <summary>First of the two rows whose scores this thread has.</summary>
    public static int ScoreRow => Group.IdxX / ColumnThreads * 2;

    /// <summary>First of the four columns whose scores this thread has; the others follow at steps of 8.</summary>
    public static int ScoreColumn => Group.IdxX % ColumnThreads;

    /// <summary>left . right over all channels for each (row, column) of the tile; rows beyond the operands count as zeros.</summary>
    /// <param name="leftTile">Shared, MaxRows * Pitch.</param>
    /// <param name="rightTile">Shared, Columns * Pitch.</param>
    /// <param name="left">The tile's rows.</param>
    /// <param name="right">The tile's columns.</param>
    /// <param name="headSize">Channels.</param>
    public static TileScores Scores(ArrayView<float> leftTile, ArrayView<float> rightTile, HeadRows left, HeadRows right, int headSize)
    {
        TileScores scores = default;
        int row = ScoreRow * Pitch, column = ScoreColumn * Pitch;
        for (int channel = 0; channel < headSize; channel += Channels)
        {
            Load(leftTile, left, Rows, channel, headSize);
            Load(rightTile, right, Columns, channel, headSize);
            Group.Barrier();
            int width = headSize - channel < Channels ? headSize - channel : Channels;
            for (int i = 0; i < width; i++)
            {
                float a = leftTile[row + i], b = leftTile[row + Pitch + i];
                Float4 values;
                values.X = rightTile[column + i];
                values.Y = rightTile[column + ColumnThreads * Pitch + i];
                values.Z = rightTile[column + 2 * ColumnThreads * Pitch + i];
                values.W = rightTile[column + 3 * ColumnThreads * Pitch + i];
                scores.First = Float4.MultiplyAdd(a, values, scores.First);
                scores.Second = Float4.MultiplyAdd(b, values, scores.Second);
            }

            Group.Barrier();
        }

        return scores;
    }

    /// <summary>Puts this thread's weights where <see cref="Accumulate"/> reads them: (column, row).</summary>
    public static void StoreWeights(ArrayView<Float4> weights, TileScores scores)
    {
        var elements = weights.Cast<float>();
        int at = ScoreColumn * WeightPitch + ScoreRow;
        const int Next = ColumnThreads * WeightPitch;
        elements[at] = scores.First.X;
        elements[at + Next] = scores.First.Y;
        elements[at + 2 * Next] = scores.First.Z;
        elements[at + 3 * Next] = scores.First.W;
        elements[at + 1] = scores.Second.X;
        elements[at + 1 + Next] = scores.Second.Y;
        elements[at + 1 + 2 * Next] = scores.Second.Z;
        elements[at + 1 + 3 * Next] = scores.Second.W;
    }

    /// <summary>target = factors[row] * target + sum over columns of weights[column, row] * values[column].</summary>
    /// <param name="target">Rows of the output; each element belongs to one thread for the whole kernel.</param>
    /// <param name="values">A row per column of the tile.</param>
    /// <param name="weights">Shared, written by <see cref="StoreWeights"/>, behind a barrier or not.</param>
    /// <param name="valueTile">Shared, Columns * Pitch.</param>
    /// <param name="factors">Shared, one a row.</param>
    /// <param name="headSize">Channels.</param>
    public static void Accumulate(
        HeadRows target, HeadRows values, ArrayView<Float4> weights, ArrayView<float> valueTile, ArrayView<float> factors, int headSize)
    {
        int lane = Group.IdxX % WarpLanes, first = Group.IdxX / WarpLanes * AccumulatorRows;
        for (int channel = 0; channel < headSize; channel += Channels)
        {
            Load(valueTile, values, Columns, channel, headSize);
            Group.Barrier();
            Float4 upperLeft = default, upperRight = default, lowerLeft = default, lowerRight = default;
            for (int i = 0; i < values.Count; i++)
            {
                Float4 upper = weights[i * (WeightPitch / 4) + first / 4], lower = weights[i * (WeightPitch / 4) + first / 4 + 1];
                float left = valueTile[i * Pitch + lane], right = valueTile[i * Pitch + WarpLanes + lane];
                upperLeft = Float4.MultiplyAdd(left, upper, upperLeft);
                upperRight = Float4.MultiplyAdd(right, upper, upperRight);
                lowerLeft = Float4.MultiplyAdd(left, lower, lowerLeft);
                lowerRight = Float4.MultiplyAdd(right, lower, lowerRight);
            }

            Add(target, factors, first, channel + lane, headSize, upperLeft, lowerLeft);
            Add(target, factors, first, channel + WarpLanes + lane, headSize, upperRight, lowerRight);
            Group.Barrier();
        }
    }

    /// <summary>Sets the elements that <see cref="Accumulate"/> will add to, each by its own thread.</summary>
    public static void Clear(HeadRows target, int headSize)
    {
        int lane = Group.IdxX % WarpLanes, first = Group.IdxX / WarpLanes * AccumulatorRows;
        for (int row = first; row < first + AccumulatorRows && row < target.Count; row++)
        {
            for (int channel = lane; channel < headSize; channel += WarpLanes) target[row, channel] = 0f;
        }
    }

    /// <summary>Multiplies each row by its factor, each element by its own thread.</summary>
    public static void Scale(HeadRows target, ArrayView<float> factors, int headSize)
    {
        int lane = Group.IdxX % WarpLanes, first = Group.IdxX / WarpLanes * AccumulatorRows;
        for (int row = first; row < first + AccumulatorRows && row < target.Count; row++)
        {
            for (int channel = lane; channel < headSize; channel += WarpLanes) target[row, channel] *= factors[row];
        }
    }

    /// <summary>dots[row] = left[row] . right[row], for as many rows as <paramref name="rows"/>; ends behind a barrier.</summary>
    /// <param name="dots">Shared, a value per row.</param>
    /// <param name="partials">Shared, a value per thread.</param>
    /// <param name="left">One factor's rows.</param>
    /// <param name="right">The other's.</param>
    /// <param name="rows">A divisor of the number of threads.</param>
    /// <param name="headSize">Channels.</param>
    public static void RowDots(ArrayView<float> dots, ArrayView<float> partials, HeadRows left, HeadRows right, int rows, int headSize)
    {
        int parts = Group.DimX / rows, row = Group.IdxX / parts;
        float sum = 0f;
        if (row < left.Count)
        {
            for (int channel = Group.IdxX % parts; channel < headSize; channel += parts) sum += left[row, channel] * right[row, channel];
        }

        partials[Group.IdxX] = sum;
        Group.Barrier();
        if (Group.IdxX < rows)
        {
            sum = 0f;
            for (int part = 0; part < parts; part++) sum += partials[Group.IdxX * parts + part];
            dots[Group.IdxX] = sum;
        }

        Group.Barrier();
    }

    private static void Add(HeadRows target, ArrayView<float> factors, int first, int channel, int headSize, Float4 upper, Float4 lower)
    {
        if (channel >= headSize) return;
        AddElement(target, factors, first, channel, upper.X);
        AddElement(target, factors, first + 1, channel, upper.Y);
        AddElement(target, factors, first + 2, channel, upper.Z);
        AddElement(target, factors, first + 3, channel, upper.W);
        AddElement(target, factors, first + 4, channel, lower.X);
        AddElement(target, factors, first + 5, channel, lower.Y);
        AddElement(target, factors, first + 6, channel, lower.Z);
        AddElement(target, factors, first + 7, channel, lower.W);
    }

    private static void AddElement(HeadRows target, ArrayView<float> factors, int row, int channel, float value)
    {
        if (row < target.Count) target[row, channel] = target[row, channel] * factors[row] + value;
    }

    private static void Load(ArrayView<float> tile, HeadRows source, int rows, int channel, int headSize)
    {
        for (int i = Group.IdxX; i < rows * Channels; i += Group.DimX)
        {
            int row = i / Channels, at = i % Channels;
            tile[row * Pitch + at] = row < source.Count && channel + at < headSize ? source[row, channel + at] : 0f;
        }
    }
}
