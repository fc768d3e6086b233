using ILGPU;
using ILGPU.Algorithms;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>The noise of the MMD term in a kernel: <see cref="Philox"/> and <see cref="Gaussian"/>, operation by operation.</summary>
internal static class DeviceGaussian
{
    /// <summary>The Gaussians of a counter; <see cref="GaussianNoise.Counter"/> lays it out.</summary>
    public static Float4 FromCounter(uint key0, uint key1, uint x, uint y, uint z, uint w)
    {
        for (int round = 0; round < Philox.Rounds; round++)
        {
            ulong a = (ulong)Philox.Multiplier0 * x, b = (ulong)Philox.Multiplier1 * z;
            uint nextX = (uint)(b >> 32) ^ y ^ key0;
            uint nextZ = (uint)(a >> 32) ^ w ^ key1;
            y = (uint)b;
            w = (uint)a;
            x = nextX;
            z = nextZ;
            key0 += Philox.KeyStep0;
            key1 += Philox.KeyStep1;
        }

        Float4 result;
        float radius = Radius(x);
        result.X = radius * CosOfTurn(y >> 8);
        result.Y = radius * SinOfTurn(y >> 8);
        radius = Radius(z);
        result.Z = radius * CosOfTurn(w >> 8);
        result.W = radius * SinOfTurn(w >> 8);
        return result;
    }

    /// <summary>sqrt(-2 ln u) for u = ((bits >> 8) + 1) 2^-24.</summary>
    private static float Radius(uint bits)
    {
        uint word = Interop.FloatAsInt((float)((bits >> 8) + 1));
        int exponent = (int)(word >> 23) - 127 - 24;
        uint mantissa = word & 0x7FFFFFu;
        uint high = mantissa >= Gaussian.SqrtTwoMantissa ? 1u : 0u;
        float f = Interop.IntAsFloat(mantissa | ((127u - high) << 23)) - 1f;
        float e = exponent + (int)high;
        float p = DeviceMath.Fma(Gaussian.Log0, f, Gaussian.Log1);
        p = DeviceMath.Fma(p, f, Gaussian.Log2);
        p = DeviceMath.Fma(p, f, Gaussian.Log3);
        p = DeviceMath.Fma(p, f, Gaussian.Log4);
        p = DeviceMath.Fma(p, f, Gaussian.Log5);
        p = DeviceMath.Fma(p, f, Gaussian.Log6);
        p = DeviceMath.Fma(p, f, Gaussian.Log7);
        p = DeviceMath.Fma(p, f, Gaussian.Log8);
        float square = f * f;
        float tail = DeviceMath.Fma(p * f, square, e * Gaussian.Ln2Low);
        tail = DeviceMath.Fma(-0.5f, square, tail);
        float log = DeviceMath.Fma(e, Gaussian.Ln2High, f + tail);
        return XMath.Sqrt(-2f * log);
    }

    private static float CosOfTurn(uint k)
    {
        uint quadrant = (k + (1u << 21)) >> 22; // nearest quarter turn, 0 .. 4
        float t = (int)(k - (quadrant << 22)) * (1f / (1 << 22));
        float value = (quadrant & 1u) != 0u ? Sine(t) : Cosine(t);
        return ((quadrant + 1u) & 2u) != 0u ? -value : value;
    }

    private static float SinOfTurn(uint k)
    {
        uint quadrant = (k + (1u << 21)) >> 22;
        float t = (int)(k - (quadrant << 22)) * (1f / (1 << 22));
        float value = (quadrant & 1u) != 0u ? Cosine(t) : Sine(t);
        return (quadrant & 2u) != 0u ? -value : value;
    }

    private static float Sine(float t)
    {
        float square = t * t;
        float s = DeviceMath.Fma(Gaussian.Sin4, square, Gaussian.Sin3);
        s = DeviceMath.Fma(s, square, Gaussian.Sin2);
        s = DeviceMath.Fma(s, square, Gaussian.Sin1);
        return DeviceMath.Fma(s, square, Gaussian.Sin0) * t;
    }

    private static float Cosine(float t)
    {
        float square = t * t;
        float c = DeviceMath.Fma(Gaussian.Cos5, square, Gaussian.Cos4);
        c = DeviceMath.Fma(c, square, Gaussian.Cos3);
        c = DeviceMath.Fma(c, square, Gaussian.Cos2);
        c = DeviceMath.Fma(c, square, Gaussian.Cos1);
        return DeviceMath.Fma(c, square, Gaussian.Cos0);
    }
}
