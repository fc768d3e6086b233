using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Comparison;

/// <summary>Distance of two numbers in units in the last place: how many numbers of their type lie from one to the other.</summary>
internal static class Ulps
{
    /// <summary>True for the types that have it here.</summary>
    public static bool Has(DType type) => type is DType.F64 or DType.F32 or DType.F16 or DType.BF16;

    /// <summary>Steps from <paramref name="a"/> to <paramref name="b"/>, numbers of <paramref name="type"/>; infinite where one is NaN.</summary>
    public static double Between(double a, double b, DType type) =>
        double.IsNaN(a) || double.IsNaN(b) ? double.PositiveInfinity : Math.Abs((double)(Order(a, type) - (Int128)Order(b, type)));

    /// <summary>Numbers in order, zeros of both signs as 0.</summary>
    private static long Order(double value, DType type)
    {
        long magnitude = type switch
        {
            DType.F64 => BitConverter.DoubleToInt64Bits(Math.Abs(value)),
            DType.F32 => BitConverter.SingleToInt32Bits((float)Math.Abs(value)),
            DType.F16 => BitConverter.HalfToInt16Bits((Half)Math.Abs(value)),
            _ => BitConverter.SingleToInt32Bits((float)Math.Abs(value)) >> 16,
        };
        return value < 0 ? -magnitude : magnitude;
    }
}
