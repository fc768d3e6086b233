using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Four floats in registers, or a 16-byte piece of shared memory. Kernels hold tiles in named values of this type: an indexed
/// local array would go to memory, for ILGPU unrolls no loops.
/// </summary>
internal struct Float4
{
    public float X;
    public float Y;
    public float Z;
    public float W;

    /// <summary>sum + factor * value, each component.</summary>
    public static Float4 MultiplyAdd(float factor, Float4 value, Float4 sum)
    {
        sum.X += factor * value.X;
        sum.Y += factor * value.Y;
        sum.Z += factor * value.Z;
        sum.W += factor * value.W;
        return sum;
    }
}

/// <summary>One row of a thread's tile of a product: four columns in each half of the group's tile.</summary>
internal struct TileRow
{
    public Float4 Left;
    public Float4 Right;

    public static TileRow MultiplyAdd(float factor, Float4 left, Float4 right, TileRow sum)
    {
        sum.Left = Float4.MultiplyAdd(factor, left, sum.Left);
        sum.Right = Float4.MultiplyAdd(factor, right, sum.Right);
        return sum;
    }
}

/// <summary>A thread's tile of a product: rows 0 to 3 lie in the upper half of the group's tile, 4 to 7 in the lower.</summary>
internal struct Accumulators
{
    public TileRow Row0;
    public TileRow Row1;
    public TileRow Row2;
    public TileRow Row3;
    public TileRow Row4;
    public TileRow Row5;
    public TileRow Row6;
    public TileRow Row7;

    /// <summary>sums + a column of A times a row of B.</summary>
    /// <param name="sums">What has been added so far.</param>
    /// <param name="tilesA">Shared.</param>
    /// <param name="tilesB">Shared.</param>
    /// <param name="atA">This thread's four elements of the upper half of A's column.</param>
    /// <param name="atB">This thread's four elements of the left half of B's row.</param>
    /// <param name="half">From one half to the other.</param>
    public static Accumulators Step(
        Accumulators sums, ArrayView<Float4> tilesA, ArrayView<Float4> tilesB, int atA, int atB, int half)
    {
        Float4 upper = tilesA[atA], lower = tilesA[atA + half], left = tilesB[atB], right = tilesB[atB + half];
        sums.Row0 = TileRow.MultiplyAdd(upper.X, left, right, sums.Row0);
        sums.Row1 = TileRow.MultiplyAdd(upper.Y, left, right, sums.Row1);
        sums.Row2 = TileRow.MultiplyAdd(upper.Z, left, right, sums.Row2);
        sums.Row3 = TileRow.MultiplyAdd(upper.W, left, right, sums.Row3);
        sums.Row4 = TileRow.MultiplyAdd(lower.X, left, right, sums.Row4);
        sums.Row5 = TileRow.MultiplyAdd(lower.Y, left, right, sums.Row5);
        sums.Row6 = TileRow.MultiplyAdd(lower.Z, left, right, sums.Row6);
        sums.Row7 = TileRow.MultiplyAdd(lower.W, left, right, sums.Row7);
        return sums;
    }
}
