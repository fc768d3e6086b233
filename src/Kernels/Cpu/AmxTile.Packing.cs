using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// How strips are filled. A line of a register holds pairs of elements of K, which both operands pair alike: element i of a block's first
/// sixteen with element i of its last sixteen, so that two registers of float32 become one line without a shuffle.
/// </summary>
internal readonly unsafe partial struct AmxTile
{
    private const int Lanes = 16;

    /// <inheritdoc/>
    [MethodImpl(KernelLoop.Options)]
    public static void PackRowLines(float* source, long stride, int rows, int k, float* strip, float* factors)
    {
        var check = Vector512<float>.Zero;
        byte* block = (byte*)strip;
        int at = 0;
        for (; at + BlockK <= k; at += BlockK, block += BlockBytes)
        {
            float* from = source + at;
            for (int row = 0; row < rows; row++, from += stride)
            {
                var factor = Vector512.Create(factors is null ? 1f : factors[row]);
                Split(factor * Vector512.Load(from), factor * Vector512.Load(from + Lanes), Line(block, row), ref check);
            }
        }

        for (int row = 0; row < rows && at < k; row++)
        {
            var factor = Vector512.Create(factors is null ? 1f : factors[row]);
            float* from = source + row * stride + at;
            Split(factor * LoadFirst(from, k - at), factor * LoadFirst(from + Lanes, k - at - Lanes), Line(block, row), ref check);
        }

        *Check(strip, k) = Vector512.Sum(check);
    }

    /// <inheritdoc/>
    [SkipLocalsInit]
    [MethodImpl(KernelLoop.Options)]
    public static void PackRowsAcross(float* source, long stride, int rows, int k, float* strip, float* factors)
    {
        float* buffer = stackalloc float[2 * Lanes * Lanes];
        var check = Vector512<float>.Zero;
        byte* block = (byte*)strip;
        for (int at = 0; at < k; at += BlockK, block += BlockBytes)
        {
            int count = Math.Min(BlockK, k - at);
            Vector512<float> first = Vector512<float>.One, second = first;
            if (factors is not null) (first, second) = (LoadFirst(factors + at, count), LoadFirst(factors + at + Lanes, count - Lanes));
            for (int row = 0; row < rows; row += Lanes)
            {
                TransposeAcross(source + at * stride + row, stride, Math.Min(Lanes, rows - row), count, buffer);
                byte* line = Line(block, row);
                for (int i = 0; i < Lanes; i++, line += LineBytes)
                    Split(first * Vector512.Load(buffer + i * Lanes), second * Vector512.Load(buffer + (Lanes + i) * Lanes), line, ref check);
            }
        }

        *Check(strip, k) = Vector512.Sum(check);
    }

    /// <inheritdoc/>
    [MethodImpl(KernelLoop.Options)]
    public static void PackColumnsAcross(float* source, long stride, int columns, int k, float* strip)
    {
        var check = Vector512<float>.Zero;
        byte* block = (byte*)strip;
        int at = 0;
        if (columns == Columns)
        {
            for (; at + BlockK <= k; at += BlockK, block += BlockBytes)
            {
                float* low = source + at * stride, high = low + Lanes * stride;
                byte* line = block;
                for (int i = 0; i < Lanes; i++, low += stride, high += stride, line += LineBytes)
                {
                    Split(Vector512.Load(low), Vector512.Load(high), line, ref check);
                    Split(Vector512.Load(low + Lanes), Vector512.Load(high + Lanes), line + TileBytes, ref check);
                }
            }
        }

        for (; at < k; at += BlockK, block += BlockBytes)
        {
            for (int i = 0; i < Lanes; i++)
            {
                bool hasLow = at + i < k, hasHigh = at + Lanes + i < k;
                float* low = source + (at + i) * stride, high = low + Lanes * stride;
                for (int column = 0; column < columns; column += Lanes)
                {
                    Split(hasLow ? LoadFirst(low + column, columns - column) : default, hasHigh ? LoadFirst(high + column, columns - column) : default,
                        block + i * LineBytes + column / Lanes * TileBytes, ref check);
                }
            }
        }

        *Check(strip, k) = Vector512.Sum(check);
    }

    /// <inheritdoc/>
    [SkipLocalsInit]
    [MethodImpl(KernelLoop.Options)]
    public static void PackColumnLines(float* source, long stride, int columns, int k, float* strip)
    {
        float* buffer = stackalloc float[2 * Lanes * Lanes];
        var check = Vector512<float>.Zero;
        byte* block = (byte*)strip;
        for (int at = 0; at < k; at += BlockK, block += BlockBytes)
        {
            int count = Math.Min(BlockK, k - at);
            for (int column = 0; column < columns; column += Lanes)
            {
                TransposeLines(source + column * stride + at, stride, Math.Min(Lanes, columns - column), count, buffer);
                byte* line = block + column / Lanes * TileBytes;
                for (int i = 0; i < Lanes; i++, line += LineBytes)
                    Split(Vector512.Load(buffer + i * Lanes), Vector512.Load(buffer + (Lanes + i) * Lanes), line, ref check);
            }
        }

        *Check(strip, k) = Vector512.Sum(check);
    }

    /// <summary>A row's line in the plane of high parts.</summary>
    private static byte* Line(byte* block, int row) => block + row / TileLines * TileBytes + row % TileLines * LineBytes;

    /// <summary>
    /// Two registers as lines of pairs, one a plane. A part is what is left, rounded to the nearest bfloat16; what is left after two parts has at most eight
    /// bits, so the third is exact. Zero times what is left after one part, which is zero or NaN, is added to the check.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Split(Vector512<float> x, Vector512<float> y, byte* line, ref Vector512<float> check)
    {
        Vector512<uint> highX = Round(x), highY = Round(y);
        x -= highX.AsSingle();
        y -= highY.AsSingle();
        check = Vector512.FusedMultiplyAdd(x - y, Vector512<float>.Zero, check);
        Vector512<uint> middleX = Round(x), middleY = Round(y);
        Store(highX, highY, line);
        Store(middleX, middleY, line + PlaneBytes);
        Store((x - middleX.AsSingle()).AsUInt32(), (y - middleY.AsSingle()).AsUInt32() & Vector512.Create(0xFFFF0000), line + 2 * PlaneBytes);
    }

    /// <summary>The nearest bfloat16, as the float32 that it is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Round(Vector512<float> value) => (value.AsUInt32() + Vector512.Create(0x8000u)) & Vector512.Create(0xFFFF0000);

    /// <summary>Pairs of two registers' upper halves, of which the second's lower halves are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<uint> x, Vector512<uint> y, byte* line) => ((x >>> 16) | y).Store((uint*)line);

    /// <summary>The first elements of a register, zero behind them; none for a count below one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LoadFirst(float* source, int count) =>
        Avx512F.MaskLoad(source, Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle(), Vector512<float>.Zero);

    /// <summary>Two blocks of buffer[i, k] = source[k * stride + i], k from 0 and from 16 on; zero from count on.</summary>
    private static void TransposeAcross(float* source, long stride, int rows, int count, float* buffer)
    {
        float* staging = stackalloc float[BlockK * Lanes];
        if (rows < Lanes || count < BlockK)
        {
            for (int k = 0; k < BlockK; k++) (k < count ? LoadFirst(source + k * stride, rows) : default).Store(staging + k * Lanes);
            source = staging;
            stride = Lanes;
        }

        long* lines = stackalloc long[Lanes];
        for (int k = 0; k < Lanes; k++) lines[k] = k * stride;
        Transpose(source, lines, buffer);
        Transpose(source + Lanes * stride, lines, buffer + Lanes * Lanes);
    }

    /// <summary>Two blocks of buffer[k, i] = source[i * stride + k], k from 0 and from 16 on; zero from count on. Lines past the last repeat it.</summary>
    private static void TransposeLines(float* source, long stride, int rows, int count, float* buffer)
    {
        float* staging = stackalloc float[BlockK * Lanes];
        if (count < BlockK)
        {
            for (int i = 0; i < rows; i++)
            {
                LoadFirst(source + i * stride, count).Store(staging + i * BlockK);
                LoadFirst(source + i * stride + Lanes, count - Lanes).Store(staging + i * BlockK + Lanes);
            }

            source = staging;
            stride = BlockK;
        }

        long* lines = stackalloc long[Lanes];
        for (int i = 0; i < Lanes; i++) lines[i] = Math.Min(i, rows - 1) * stride;
        Transpose(source, lines, buffer);
        Transpose(source + Lanes, lines, buffer + Lanes * Lanes);
    }

    [MethodImpl(KernelLoop.Options)]
    private static void Transpose(float* source, long* lines, float* target) => Lanes512.Transpose(source, lines, target, Lanes);
}
