using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// <see cref="GaussianNoise.Fill"/> a register at a time: lane i works on the i-th quadruple of channels and performs the very
/// operations of <see cref="Philox"/> and <see cref="Gaussian"/>, so the bits are the same.
/// </summary>
internal static unsafe class SimdGaussian<T>
    where T : unmanaged, ISimd<T>
{
    /// <summary>Channels that one call of <see cref="Quadruples"/> writes.</summary>
    private static int Channels => 4 * T.Width;

    /// <summary>Channels first to first + count - 1 of one (pair, position); first is a multiple of 4.</summary>
    [MethodImpl(KernelLoop.Options)]
    public static void Fill(float* target, int first, int count, NoiseSource source, int pairId, int position)
    {
        float* tail = stackalloc float[Channels];
        var key = Philox.Key(source.Seed, PhiloxPurpose.Noise);
        for (int at = 0; at < count; at += Channels)
        {
            bool isWhole = count - at >= Channels;
            var counter = GaussianNoise.Counter(source.Step, source.Layer, pairId, position, (first + at) / 4);
            Quadruples(isWhole ? target + at : tail, key, counter);
            if (!isWhole) new ReadOnlySpan<float>(tail, count - at).CopyTo(new Span<float>(target + at, count - at));
        }
    }

    /// <summary>The quadruples of a counter and of those after it, one a lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quadruples(float* target, (uint Key0, uint Key1) key, PhiloxBlock counter)
    {
        T x = T.AddInt(T.CreateInt((int)counter.X), T.Iota), y = T.CreateInt((int)counter.Y);
        T z = T.CreateInt((int)counter.Z), w = T.CreateInt((int)counter.W);
        T multiplier0 = T.CreateInt(unchecked((int)Philox.Multiplier0)), multiplier1 = T.CreateInt(unchecked((int)Philox.Multiplier1));
        var (k0, k1) = key;
        for (int round = 0; round < Philox.Rounds; round++)
        {
            var (lowA, highA) = T.MultiplyWide(multiplier0, x);
            var (lowB, highB) = T.MultiplyWide(multiplier1, z);
            x = highB ^ y ^ T.CreateInt((int)k0);
            z = highA ^ w ^ T.CreateInt((int)k1);
            (y, w) = (lowB, lowA);
            k0 += Philox.KeyStep0;
            k1 += Philox.KeyStep1;
        }

        var (a, b) = Pair(x, y);
        var (c, d) = Pair(z, w);
        Interleave(a, b, c, d, target);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (T, T) Pair(T first, T second)
    {
        var log = LogOfUnit(T.AddInt(T.ShiftRightLogical(first, 8), T.CreateInt(1)));
        var radius = T.Sqrt(T.Create(-2f) * log);
        var (sin, cos) = SinCosOfTurn(T.ShiftRightLogical(second, 8));
        return (radius * cos, radius * sin);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T LogOfUnit(T k)
    {
        var bits = T.ToFloat(k);
        var mantissa = bits & T.CreateInt(0x7FFFFF);
        var isHigh = T.GreaterOrEqualInt(mantissa, T.CreateInt(Gaussian.SqrtTwoMantissa)); // -1 where true
        var high = isHigh & T.CreateInt(1);
        var exponent = T.SubtractInt(T.ShiftRightArithmetic(bits, 23), T.CreateInt(127 + 24));
        var scale = T.ShiftLeft(T.SubtractInt(T.CreateInt(127), high), 23);
        var f = T.AddInt(mantissa, scale) - T.Create(1f);
        var e = T.ToFloat(T.AddInt(exponent, high));
        var p = T.FusedMultiplyAdd(T.Create(Gaussian.Log0), f, T.Create(Gaussian.Log1));
        p = T.FusedMultiplyAdd(p, f, T.Create(Gaussian.Log2));
        p = T.FusedMultiplyAdd(p, f, T.Create(Gaussian.Log3));
        p = T.FusedMultiplyAdd(p, f, T.Create(Gaussian.Log4));
        p = T.FusedMultiplyAdd(p, f, T.Create(Gaussian.Log5));
        p = T.FusedMultiplyAdd(p, f, T.Create(Gaussian.Log6));
        p = T.FusedMultiplyAdd(p, f, T.Create(Gaussian.Log7));
        p = T.FusedMultiplyAdd(p, f, T.Create(Gaussian.Log8));
        var square = f * f;
        var tail = T.FusedMultiplyAdd(p * f, square, e * T.Create(Gaussian.Ln2Low));
        tail = T.FusedMultiplyAdd(T.Create(-0.5f), square, tail);
        return T.FusedMultiplyAdd(e, T.Create(Gaussian.Ln2High), f + tail);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (T Sin, T Cos) SinCosOfTurn(T k)
    {
        var quadrant = T.ShiftRightLogical(T.AddInt(k, T.CreateInt(1 << 21)), 22);
        var t = T.ToFloat(T.SubtractInt(k, T.ShiftLeft(quadrant, 22))) * T.Create(1f / (1 << 22));
        var square = t * t;
        var s = T.FusedMultiplyAdd(T.Create(Gaussian.Sin4), square, T.Create(Gaussian.Sin3));
        s = T.FusedMultiplyAdd(s, square, T.Create(Gaussian.Sin2));
        s = T.FusedMultiplyAdd(s, square, T.Create(Gaussian.Sin1));
        s = T.FusedMultiplyAdd(s, square, T.Create(Gaussian.Sin0)) * t;
        var c = T.FusedMultiplyAdd(T.Create(Gaussian.Cos5), square, T.Create(Gaussian.Cos4));
        c = T.FusedMultiplyAdd(c, square, T.Create(Gaussian.Cos3));
        c = T.FusedMultiplyAdd(c, square, T.Create(Gaussian.Cos2));
        c = T.FusedMultiplyAdd(c, square, T.Create(Gaussian.Cos1));
        c = T.FusedMultiplyAdd(c, square, T.Create(Gaussian.Cos0));
        var swap = T.GreaterOrEqualInt(quadrant & T.CreateInt(1), T.CreateInt(1));
        T sin = T.Select(swap, c, s), cos = T.Select(swap, s, c);
        return (sin ^ Sign(quadrant), cos ^ Sign(T.AddInt(quadrant, T.CreateInt(1))));
    }

    /// <summary>The sign bit where bit 1 of a quadrant is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Sign(T quadrant) => T.ShiftLeft(quadrant & T.CreateInt(2), 30);

    /// <summary>target[4 i + c] = lane i of the c-th register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Interleave(T a, T b, T c, T d, float* target)
    {
        for (int quarter = 0; quarter < T.Width / 4; quarter++)
        {
            Vector128<float> p = T.Quarter(a, quarter), q = T.Quarter(b, quarter), r = T.Quarter(c, quarter), s = T.Quarter(d, quarter);
            Lanes128.Transpose4(ref p, ref q, ref r, ref s);
            p.Store(target);
            q.Store(target + 4);
            r.Store(target + 8);
            s.Store(target + 12);
            target += 16;
        }
    }
}
