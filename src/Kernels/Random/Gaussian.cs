using System.Runtime.CompilerServices;

namespace RepNoise.Kernels;

/// <summary>
/// Standard Gaussians from random bits by Box and Muller (1958), with logarithm, sine and cosine as fixed polynomials in fp32
/// and explicit fused multiply-adds: every operation is exactly rounded, so every device that performs the same operations gets
/// the same bits. A vectorised form must perform them lane by lane.
/// <para>From words (a, b): u = ((a >> 8) + 1) 2^-24 in (0, 1], r = sqrt(-2 ln u); v = (b >> 8) 2^-24 in [0, 1);
/// the pair is (r cos 2 pi v, r sin 2 pi v). |result| is at most sqrt(48 ln 2) = 5.77.</para>
/// Accuracy against fp64: the absolute error is at most 1e-6; over a million pairs of words 5.7e-7, little over the spacing of
/// floats at the largest values, was the worst.
/// </summary>
public static class Gaussian
{
    // ln(1 + f) on [sqrt(1/2) - 1, sqrt(2) - 1]: f - f^2/2 + f^3 P(f); Cephes logf (S. Moshier), minimax.
    public const float Log0 = 7.0376836292e-2f;
    public const float Log1 = -1.1514610310e-1f;
    public const float Log2 = 1.1676998740e-1f;
    public const float Log3 = -1.2420140846e-1f;
    public const float Log4 = 1.4249322787e-1f;
    public const float Log5 = -1.6668057665e-1f;
    public const float Log6 = 2.0000714765e-1f;
    public const float Log7 = -2.4999993993e-1f;
    public const float Log8 = 3.3333331174e-1f;

    // ln 2 in two parts, so that exponent * Ln2High is exact.
    public const float Ln2High = 0.693359375f;
    public const float Ln2Low = -2.12194440e-4f;

    // sin and cos of (pi / 2) t on |t| <= 1/2, in powers of t^2: Taylor coefficients, fp32-exact to the last term used.
    public const float Sin0 = 1.5707963267948966f;
    public const float Sin1 = -0.64596409750624625f;
    public const float Sin2 = 0.079692626246167046f;
    public const float Sin3 = -0.0046817541353186881f;
    public const float Sin4 = 0.00016044118478735982f;
    public const float Cos0 = 1.0f;
    public const float Cos1 = -1.2337005501361698f;
    public const float Cos2 = 0.25366950790104802f;
    public const float Cos3 = -0.020863480763352961f;
    public const float Cos4 = 0.00091926027483942659f;
    public const float Cos5 = -2.5202042373060605e-5f;

    /// <summary>Mantissa bits at and above which a mantissa in [1, 2) is halved: those of sqrt(2).</summary>
    public const int SqrtTwoMantissa = 0x3504F3;

    /// <summary>Four Gaussians: words (X, Y) give the first two, (Z, W) the last two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (float A, float B, float C, float D) FromBits(PhiloxBlock bits)
    {
        var (a, b) = Pair(bits.X, bits.Y);
        var (c, d) = Pair(bits.Z, bits.W);
        return (a, b, c, d);
    }

    private static (float, float) Pair(uint first, uint second)
    {
        float radius = MathF.Sqrt(-2f * LogOfUnit((first >> 8) + 1));
        var (sin, cos) = SinCosOfTurn(second >> 8);
        return (radius * cos, radius * sin);
    }

    /// <summary>ln(k 2^-24) for k in 1 .. 2^24.</summary>
    private static float LogOfUnit(uint k)
    {
        int bits = BitConverter.SingleToInt32Bits((float)k); // exact: k has at most 24 bits, or is 2^24
        int exponent = (bits >> 23) - 127 - 24;
        int mantissa = bits & 0x7FFFFF;
        int high = mantissa >= SqrtTwoMantissa ? 1 : 0;
        float f = BitConverter.Int32BitsToSingle(mantissa | ((127 - high) << 23)) - 1f;
        float e = exponent + high;
        float p = MathF.FusedMultiplyAdd(Log0, f, Log1);
        p = MathF.FusedMultiplyAdd(p, f, Log2);
        p = MathF.FusedMultiplyAdd(p, f, Log3);
        p = MathF.FusedMultiplyAdd(p, f, Log4);
        p = MathF.FusedMultiplyAdd(p, f, Log5);
        p = MathF.FusedMultiplyAdd(p, f, Log6);
        p = MathF.FusedMultiplyAdd(p, f, Log7);
        p = MathF.FusedMultiplyAdd(p, f, Log8);
        float square = f * f;
        float tail = MathF.FusedMultiplyAdd(p * f, square, e * Ln2Low);
        tail = MathF.FusedMultiplyAdd(-0.5f, square, tail);
        return MathF.FusedMultiplyAdd(e, Ln2High, f + tail);
    }

    /// <summary>Sine and cosine of 2 pi k 2^-24 for k in 0 .. 2^24 - 1.</summary>
    private static (float Sin, float Cos) SinCosOfTurn(uint k)
    {
        uint quadrant = (k + (1u << 21)) >> 22; // nearest quarter turn, 0 .. 4
        float t = (int)(k - (quadrant << 22)) * (1f / (1 << 22)); // in quarter turns, |t| <= 1/2, exact
        float square = t * t;
        float s = MathF.FusedMultiplyAdd(Sin4, square, Sin3);
        s = MathF.FusedMultiplyAdd(s, square, Sin2);
        s = MathF.FusedMultiplyAdd(s, square, Sin1);
        s = MathF.FusedMultiplyAdd(s, square, Sin0) * t;
        float c = MathF.FusedMultiplyAdd(Cos5, square, Cos4);
        c = MathF.FusedMultiplyAdd(c, square, Cos3);
        c = MathF.FusedMultiplyAdd(c, square, Cos2);
        c = MathF.FusedMultiplyAdd(c, square, Cos1);
        c = MathF.FusedMultiplyAdd(c, square, Cos0);
        bool swap = (quadrant & 1) != 0;
        float sin = swap ? c : s, cos = swap ? s : c;
        if ((quadrant & 2) != 0) sin = -sin;
        if (((quadrant + 1) & 2) != 0) cos = -cos;
        return (sin, cos);
    }
}
