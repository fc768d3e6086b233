using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// The inner part of every matrix product of this device, attention's included: packing of panels and the micro-kernel.
/// <para>Panels: A in strips of up to <see cref="MaxRows"/> rows, stored (k, rows); B in strips of <see cref="Columns"/>
/// columns, stored (k, Columns). The micro-kernel holds a tile of C in registers while it walks down both (Goto and van de
/// Geijn, "Anatomy of High-Performance Matrix Multiplication", TOMS 34, 2008). An element of C is one chain of fused
/// multiply-adds over k, whatever tile it falls in, so how C is cut never shows in the bits.</para>
/// Variants: tiles of 14 x 32 with 512-bit registers (28 of 32 hold C), 6 x 16 with 256-bit ones (12 of 16), 6 x 8 with
/// 128-bit ones, 12 x 8 on Arm (24 of 32).
/// </summary>
/// <typeparam name="T">The register.</typeparam>
internal readonly unsafe partial struct MatmulTile<T> : ITile
    where T : unmanaged, ISimd<T>
{
    /// <summary>Columns of a tile.</summary>
    public static int Columns => 2 * T.Width;

    /// <summary>Rows of the highest tile that the registers hold: 32 of them with 512 bits and on Arm, else 16.</summary>
    public static int MaxRows => T.Width switch { 16 => 14, 8 => 6, _ => AdvSimd.Arm64.IsSupported ? 12 : 6 };

    /// <inheritdoc/>
    public static int Depth => T.Width;

    /// <summary>Floats that packing may write past the end of a panel.</summary>
    public static int Slack => T.Width;

    /// <summary>Strips of equal height: 16 rows are 8 + 8, not 14 + 2.</summary>
    public static int Height(int rows)
    {
        int strips = (rows + MaxRows - 1) / MaxRows;
        return (rows + strips - 1) / strips;
    }

    /// <inheritdoc/>
    public static long RowsLength(int height, int k) => (long)height * k;

    /// <inheritdoc/>
    public static long ColumnsLength(int k) => (long)Columns * k;

    /// <inheritdoc/>
    public static void Begin()
    {
    }

    /// <inheritdoc/>
    public static void End()
    {
    }

    /// <summary>
    /// <see cref="Run"/> for a tile whose last columns may lie outside of C, which has 1 to <see cref="Columns"/> of them: such
    /// a tile goes through a buffer. Fetches what later tiles read meanwhile.
    /// </summary>
    public static void RunPart(
        int rows, int columns, long k, float* a, float* b, float* c, long stride, bool accumulate, float* bias, Ahead ahead = default)
    {
        if (ahead.At is null) ahead.At = b; // nothing to fetch: a line that is there
        if (columns == Columns)
        {
            Run(rows, k, a, b, c, stride, accumulate, bias, ahead);
            return;
        }

        float* tile = stackalloc float[14 * 32];
        Run(rows, k, a, b, tile, Columns, false, null, ahead);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                float value = accumulate ? c[i * stride + j] + tile[i * Columns + j] : tile[i * Columns + j];
                c[i * stride + j] = bias is null ? value : value + bias[j];
            }
        }
    }

    /// <summary>Fetches a row of C's tile, one every few steps of k: all at once they would take the buffers that panels pass through.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Expect(float* c)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch0(c);
        Sse.Prefetch0(c + T.Width);
    }

    /// <summary>Fetches a line into the L2 cache: L1 is full of the tile's own panels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(float* line)
    {
        if (Sse.IsSupported) Sse.Prefetch1(line);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(T x, T y, float* c, bool accumulate, float* bias)
    {
        if (accumulate)
        {
            x = T.Load(c) + x;
            y = T.Load(c + T.Width) + y;
        }

        if (bias is not null)
        {
            x += T.Load(bias);
            y += T.Load(bias + T.Width);
        }

        T.Store(x, c);
        T.Store(y, c + T.Width);
    }
}
