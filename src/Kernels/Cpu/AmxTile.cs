using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Tiles of 32 x 32 in the processor's tile registers (Intel AMX), which multiply bfloat16 numbers and add float32 sums, sixteen times as fast as
/// 512-bit registers do float32.
/// <para>A float32 number is the exact sum of three bfloat16 numbers, a product of two numbers is six products of those; the three that are left out are at most
/// 2^-24 of it together, as much as float32 arithmetic rounds it by: a middle part is at most 2^-8 of its number, a low one 2^-17. Sums over 32 elements of K are rounded as float32 and added
/// to C in the order of K, so an element sees fewer roundings than in a chain of multiply-adds. The same has long been done with bfloat16 and with TF32
/// (Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations", arXiv 1904.06376).</para>
/// <para>Numbers, parts of numbers and sums below 2^-126 count as zero, which is all that differs from IEEE arithmetic but the order of roundings.</para>
/// </summary>
internal readonly unsafe partial struct AmxTile : ITile
{
    /// <summary>Bytes of a tile register's line: 32 bfloat16 numbers, or 16 of float32.</summary>
    public const int LineBytes = 64;

    /// <summary>Lines of a tile register.</summary>
    public const int TileLines = 16;

    /// <summary>Elements of K in a block.</summary>
    private const int BlockK = 32;

    // A block: high, middle and low parts, each of two registers.
    private const int BlockBytes = 6144;
    private const int PlaneBytes = 2048;
    private const int TileBytes = 1024;

    /// <inheritdoc/>
    public static int Columns => 32;

    /// <inheritdoc/>
    public static int MaxRows => 32;

    /// <inheritdoc/>
    public static int Depth => BlockK;

    /// <inheritdoc/>
    public static int Slack => 0;

    /// <inheritdoc/>
    public static int Height(int rows) => Math.Min(rows, MaxRows);

    /// <inheritdoc/>
    public static long RowsLength(int height, int k) => ColumnsLength(k);

    /// <inheritdoc/>
    public static long ColumnsLength(int k) => Blocks(k) * (BlockBytes / sizeof(float)) + CheckFloats;

    /// <inheritdoc/>
    public static void Begin() => AmxCode.Begin();

    /// <inheritdoc/>
    public static void End() => AmxCode.End();

    /// <inheritdoc/>
    [SkipLocalsInit]
    public static void RunPart(
        int rows, int columns, long k, float* a, float* b, float* c, long stride, bool accumulate, float* bias, Ahead ahead = default)
    {
        bool isWhole = columns == Columns && (rows == MaxRows || rows == TileLines);
        float* buffer = stackalloc float[32 * 32 + 15];
        float* tile = (float*)(((nuint)buffer + 63) & ~(nuint)63);
        bool isDirect = isWhole && !accumulate && bias is null;
        var call = new AmxCall
        {
            Blocks = Blocks(k),
            A = a,
            B = b,
            Target = isDirect ? c : tile,
            TargetStride = (isDirect ? stride : Columns) * sizeof(float),
            Ahead = ahead.At is null ? b : ahead.At,
            AheadStep = ahead.At is null ? 0 : ahead.Step * sizeof(float),
            Expected = c,
            ExpectedStride = stride * sizeof(float),
            ExpectedEnd = c + rows * stride,
        };
        if (rows <= TileLines) AmxCode.Half(call);
        else AmxCode.Whole(call);
        if (!IsFinite(a, k) || !IsFinite(b, k)) Recompute(rows, columns, k, a, b, call.Target, isDirect ? stride : Columns);
        if (isDirect) return;
        if (columns == Columns) Finish(tile, rows, c, stride, accumulate, bias);
        else FinishPart(tile, rows, columns, c, stride, accumulate, bias);
    }

    private static long Blocks(long k) => (k + BlockK - 1) / BlockK;

    /// <summary>C = or += a tile, plus a bias row.</summary>
    private static void Finish(float* tile, int rows, float* c, long stride, bool accumulate, float* bias)
    {
        Vector512<float> left = bias is null ? default : Vector512.Load(bias), right = bias is null ? default : Vector512.Load(bias + 16);
        for (int row = 0; row < rows; row++, tile += Columns, c += stride)
        {
            Vector512<float> x = Vector512.Load(tile), y = Vector512.Load(tile + 16);
            if (accumulate)
            {
                x = Vector512.Load(c) + x;
                y = Vector512.Load(c + 16) + y;
            }

            if (bias is not null)
            {
                x += left;
                y += right;
            }

            x.Store(c);
            y.Store(c + 16);
        }
    }

    private static void FinishPart(float* tile, int rows, int columns, float* c, long stride, bool accumulate, float* bias)
    {
        for (int row = 0; row < rows; row++, tile += Columns, c += stride)
        {
            for (int j = 0; j < columns; j++)
            {
                float value = accumulate ? c[j] + tile[j] : tile[j];
                c[j] = bias is null ? value : value + bias[j];
            }
        }
    }
}
