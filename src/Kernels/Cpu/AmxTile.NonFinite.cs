namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Infinities: the parts of one are infinity and NaN, so its products are NaN where infinity is right. A tile of a strip that holds one is therefore computed
/// again, from the numbers that the parts stand for, one by one: slow, but no run goes far with such numbers.
/// </summary>
internal readonly unsafe partial struct AmxTile
{
    // What packing leaves behind a strip: zero, or NaN where an element was infinite, NaN or so large that its high part is infinite.
    private const int CheckFloats = Lanes;

    private static float* Check(float* strip, long k) => strip + Blocks(k) * (BlockBytes / sizeof(float));

    private static bool IsFinite(float* strip, long k) => *Check(strip, k) == 0;

    /// <summary>The tile as a loop over K computes it.</summary>
    private static void Recompute(int rows, int columns, long k, float* a, float* b, float* tile, long stride)
    {
        for (int row = 0; row < rows; row++, tile += stride)
        {
            for (int column = 0; column < columns; column++)
            {
                float sum = 0;
                for (long i = 0; i < k; i++) sum = MathF.FusedMultiplyAdd(OfRow(a, row, i), OfColumn(b, column, i), sum);
                tile[column] = sum;
            }
        }
    }

    private static float OfRow(float* strip, int row, long k) =>
        Whole(Line((byte*)strip + k / BlockK * BlockBytes, row) + (k % Lanes * 2 + k % BlockK / Lanes) * sizeof(ushort));

    private static float OfColumn(float* strip, int column, long k) =>
        Whole((byte*)strip + k / BlockK * BlockBytes + column / Lanes * TileBytes + k % Lanes * LineBytes + (column % Lanes * 2 + k % BlockK / Lanes) * sizeof(ushort));

    /// <summary>The number of three parts, the high one given. One so large that its high part is infinite counts as the largest that is finite.</summary>
    private static float Whole(byte* high)
    {
        float first = Part(high), second = Part(high + PlaneBytes);
        if (!float.IsInfinity(first)) return first + second + Part(high + 2 * PlaneBytes);
        return float.IsNaN(second) ? first : MathF.CopySign(float.MaxValue, first);
    }

    private static float Part(byte* part) => BitConverter.UInt32BitsToSingle((uint)*(ushort*)part << 16);
}
