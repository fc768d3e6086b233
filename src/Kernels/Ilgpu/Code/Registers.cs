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
