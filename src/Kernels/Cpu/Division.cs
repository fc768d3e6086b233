namespace RepNoise.Kernels.Cpu;

/// <summary>How many parts of a size cover a whole.</summary>
internal static class Division
{
    /// <summary>value / divisor, rounded up; both positive, or value 0.</summary>
    public static int Ceiling(int value, int divisor) => (value + divisor - 1) / divisor;

    /// <inheritdoc cref="Ceiling(int, int)"/>
    public static int Ceiling(long value, long divisor) => (int)((value + divisor - 1) / divisor);
}
