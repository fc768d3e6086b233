namespace RepNoise.Kernels.Reference;

/// <summary>What happens to a value on its way into a compute buffer.</summary>
/// <typeparam name="TReal">The arithmetic's type.</typeparam>
public interface IRounding<TReal>
    where TReal : unmanaged
{
    /// <summary>The format that the rounded values fit into.</summary>
    static abstract NumberFormat Format { get; }

    /// <summary>The nearest value of the format.</summary>
    static abstract TReal Round(TReal value);
}

/// <summary>Compute buffers of doubles.</summary>
public readonly struct Float64Rounding : IRounding<double>
{
    public static NumberFormat Format => NumberFormat.Float64;

    public static double Round(double value) => value;
}

/// <summary>Compute buffers of floats.</summary>
public readonly struct Float32Rounding : IRounding<float>
{
    public static NumberFormat Format => NumberFormat.Float32;

    public static float Round(float value) => value;
}

/// <summary>Compute buffers of bfloat16 values, kept in floats: to nearest, ties to even; NaN stays NaN.</summary>
public readonly struct BFloat16Rounding : IRounding<float>
{
    public static NumberFormat Format => NumberFormat.BFloat16;

    public static float Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        // A NaN keeps its upper payload and is made quiet: the carry below could turn it into an infinity.
        uint rounded = float.IsNaN(value) ? bits | 0x400000 : bits + 0x7FFF + ((bits >> 16) & 1);
        return BitConverter.UInt32BitsToSingle(rounded & 0xFFFF0000);
    }
}
