using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// float32 to and from the 16-bit formats of checkpoints. Widening is exact, subnormals included, so widening and
/// narrowing again gives the same bits; narrowing rounds to nearest, ties to even. A finite value beyond the format's
/// range becomes infinite, as in IEEE 754: <see cref="OverflowLimit"/> lets callers refuse it first. NaN stays NaN.
/// </summary>
public static class HalfPrecision
{
    /// <summary>
    /// The smallest magnitude that rounds to infinity in <paramref name="type"/>: half a unit beyond the largest finite value.
    /// Infinity for F32, which holds every float.
    /// </summary>
    public static float OverflowLimit(DType type) => type switch
    {
        DType.F16 => 65520f,
        DType.BF16 => BitConverter.UInt32BitsToSingle(0x7f7f8000),
        _ => float.PositiveInfinity,
    };

    /// <param name="source">BF16 bit patterns, (N).</param>
    /// <param name="destination">(N).</param>
    public static void FromBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var bits = MemoryMarshal.Cast<float, uint>(destination)[..source.Length];
        TensorPrimitives.ConvertTruncating(source, bits);
        TensorPrimitives.ShiftLeft<uint>(bits, 16, bits);
    }

    /// <param name="source">(N).</param>
    /// <param name="destination">BF16 bit patterns, (N).</param>
    public static void ToBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        var bits = MemoryMarshal.Cast<float, uint>(source);
        int step = Vector<ushort>.Count, half = Vector<uint>.Count, i = 0;
        for (; i <= bits.Length - step; i += step)
        {
            var low = RoundToUpperHalf(new Vector<uint>(bits[i..]));
            var high = RoundToUpperHalf(new Vector<uint>(bits[(i + half)..]));
            Vector.Narrow(low, high).CopyTo(destination[i..]);
        }

        for (; i < bits.Length; i++)
        {
            destination[i] = (ushort)RoundToUpperHalf(new Vector<uint>(bits[i]))[0];
        }
    }

    /// <param name="source">F16 bit patterns, (N).</param>
    /// <param name="destination">(N).</param>
    public static void FromFloat16(ReadOnlySpan<ushort> source, Span<float> destination) =>
        TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<ushort, Half>(source), destination);

    /// <param name="source">(N).</param>
    /// <param name="destination">F16 bit patterns, (N).</param>
    public static void ToFloat16(ReadOnlySpan<float> source, Span<ushort> destination) =>
        TensorPrimitives.ConvertToHalf(source, MemoryMarshal.Cast<ushort, Half>(destination));

    /// <summary>
    /// Adds half a unit of the kept half, less one where that half is even: ties then round to even, and a carry into the
    /// exponent is the right result. The addition would turn some NaN into infinity or zero, so those keep their upper half, made quiet.
    /// </summary>
    private static Vector<uint> RoundToUpperHalf(Vector<uint> bits)
    {
        var upper = bits >> 16;
        var rounded = (bits + new Vector<uint>(0x7fff) + (upper & Vector<uint>.One)) >> 16;
        var isNaN = Vector.GreaterThan(bits & new Vector<uint>(0x7fffffff), new Vector<uint>(0x7f800000));
        return Vector.ConditionalSelect(isNaN, upper | new Vector<uint>(0x40), rounded);
    }
}
