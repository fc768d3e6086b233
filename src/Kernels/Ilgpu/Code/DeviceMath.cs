using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Functions of one number that no accelerator's own library gives alike: exponential and logarithm as polynomials, so that
/// results depend neither on approximate instructions nor on a vendor's mathematics, and nothing has to be linked in.
/// </summary>
internal static class DeviceMath
{
    private const float Log2E = 1.44269504f;
    private const float MaxExponent = 88.72f;
    private const float MinExponent = -86.6f;
    private const double Log2EDouble = 1.4426950408889634;
    private const double Ln2HighDouble = 0.693147180369123816490;
    private const double Ln2LowDouble = 1.90821492927058770002e-10;
    private const double MaxExponentDouble = 709.7;
    private const double MinExponentDouble = -708;

    /// <summary>
    /// a * b + c by way of doubles, in which the product is exact: the bits of MathF.FusedMultiplyAdd but where the sum falls, in
    /// one case of 2^29, so near the middle of two floats that rounding it twice tells.
    /// </summary>
    /// <remarks>ILGPU has no fused multiply-add of its own, and what a compiler fuses by itself nobody can promise.</remarks>
    public static float Fma(float a, float b, float c) => (float)((double)a * b + c);

    /// <summary>e^x within 1.5 units in the last place; below -86.6 it is 0, NaN stays NaN.</summary>
    public static float Exp(float x)
    {
        if (x > MaxExponent) return float.PositiveInfinity;
        if (x < MinExponent) return 0f;
        float turns = x * Log2E;
        int n = (int)(turns + (turns < 0f ? -0.5f : 0.5f));
        float r = x - n * Gaussian.Ln2High - n * Gaussian.Ln2Low; // n times the high part is exact
        // Cephes expf (S. Moshier), minimax on |r| <= ln 2 / 2.
        float p = 1.9875691500e-4f;
        p = p * r + 1.3981999507e-3f;
        p = p * r + 8.3334519073e-3f;
        p = p * r + 4.1665795894e-2f;
        p = p * r + 1.6666665459e-1f;
        p = p * r + 5.0000001201e-1f;
        p = p * (r * r) + r + 1f;
        // 2^n as 2 * 2^(n - 1): n is -125 to 128.
        return (p + p) * Interop.IntAsFloat((uint)(n + 126) << 23);
    }

    /// <summary>ln x of a positive normal number, within 1.5 units in the last place; infinity and NaN pass.</summary>
    public static float Log(float x)
    {
        if (!(x < float.PositiveInfinity)) return x;
        uint bits = Interop.FloatAsInt(x);
        int exponent = (int)(bits >> 23) - 127;
        uint mantissa = bits & 0x7FFFFFu;
        uint high = mantissa >= Gaussian.SqrtTwoMantissa ? 1u : 0u;
        float f = Interop.IntAsFloat(mantissa | ((127u - high) << 23)) - 1f;
        float e = exponent + (int)high;
        float p = Gaussian.Log0;
        p = p * f + Gaussian.Log1;
        p = p * f + Gaussian.Log2;
        p = p * f + Gaussian.Log3;
        p = p * f + Gaussian.Log4;
        p = p * f + Gaussian.Log5;
        p = p * f + Gaussian.Log6;
        p = p * f + Gaussian.Log7;
        p = p * f + Gaussian.Log8;
        float square = f * f;
        float tail = p * f * square + e * Gaussian.Ln2Low - 0.5f * square;
        return e * Gaussian.Ln2High + (f + tail);
    }

    /// <summary>e^x in float64 within 2 units in the last place; below -708 it is 0, NaN stays NaN.</summary>
    public static double Exp(double x)
    {
        if (x > MaxExponentDouble) return double.PositiveInfinity;
        if (x < MinExponentDouble) return 0;
        double turns = x * Log2EDouble;
        int n = (int)(turns + (turns < 0 ? -0.5 : 0.5));
        double r = x - n * Ln2HighDouble - n * Ln2LowDouble;
        // Taylor's series: at |r| <= ln 2 / 2 the first term left out, r^14 / 14!, is under 5e-18.
        double p = 1.0 / 6227020800.0;
        p = p * r + 1.0 / 479001600.0;
        p = p * r + 1.0 / 39916800.0;
        p = p * r + 1.0 / 3628800.0;
        p = p * r + 1.0 / 362880.0;
        p = p * r + 1.0 / 40320.0;
        p = p * r + 1.0 / 5040.0;
        p = p * r + 1.0 / 720.0;
        p = p * r + 1.0 / 120.0;
        p = p * r + 1.0 / 24.0;
        p = p * r + 1.0 / 6.0;
        p = p * r + 0.5;
        p = p * (r * r) + r + 1;
        return p * Interop.IntAsFloat((ulong)(n + 1023) << 52);
    }
}
