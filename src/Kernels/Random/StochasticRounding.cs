using System.Runtime.CompilerServices;

namespace RepNoise.Kernels;

/// <summary>Which of a parameter's values is rounded; each has random bits of its own.</summary>
public enum RoundedValue : uint
{
    Weight = 0,

    /// <summary>First moment.</summary>
    Mean = 1,

    /// <summary>Second moment.</summary>
    Square = 2,
}

/// <summary>
/// Stochastic rounding of what an optimizer stores in bfloat16: up with the probability that the part cut off is of a unit in the last
/// place, so that the mean of many roundings is the value, and steps too small for rounding to nearest still add up (Gupta et al.,
/// arXiv 1502.02551). The random bits are a function of (seed, step, tensor, value, row, column), laid out here for every device:
/// <code>
/// key      = Philox.Key(seed, Rounding)
/// counter  = (column / 8  |  value &lt;&lt; 28,   row,   tensor,   step)
/// </code>
/// The 128 bits of a counter are eight times 16, lowest first, for columns 8i to 8i + 7.
/// </summary>
/// <param name="Seed">Of the run.</param>
/// <param name="Tensor">Tells tensors of a run apart.</param>
public readonly record struct StochasticRounding(ulong Seed, uint Tensor)
{
    /// <summary>Columns that share a counter.</summary>
    public const int Columns = 8;

    public const int ValueShift = 28;

    /// <summary>The random bits of columns 8 * octet to 8 * octet + 7 of a row.</summary>
    public PhiloxBlock Bits(RoundedValue value, int step, int row, int octet) => Philox.Generate(
        Philox.Key(Seed, PhiloxPurpose.Rounding), new PhiloxBlock((uint)octet | ((uint)value << ValueShift), (uint)row, Tensor, (uint)step));

    /// <summary>A value of bfloat16 next to <paramref name="value"/>, or the value itself where it is one; NaN stays NaN.</summary>
    /// <param name="value">Any.</param>
    /// <param name="bits">The block of the value's column.</param>
    /// <param name="column">The value's column.</param>
    public static float Round(float value, PhiloxBlock bits, int column)
    {
        uint word = (column % Columns / 2) switch { 0 => bits.X, 1 => bits.Y, 2 => bits.Z, _ => bits.W };
        return Round(value, column % 2 == 0 ? word & 0xFFFF : word >> 16);
    }

    /// <summary>The same from 16 random bits: upwards in magnitude for the share of them that the part cut off is of 2^16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Round(float value, uint random)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        // Infinity has nothing to cut off and stays; a NaN is made quiet, for the carry could turn it into a number.
        uint rounded = float.IsNaN(value) ? bits | 0x400000 : bits + random;
        return BitConverter.UInt32BitsToSingle(rounded & 0xFFFF0000);
    }
}
