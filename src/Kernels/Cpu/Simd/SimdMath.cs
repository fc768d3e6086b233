using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RepNoise.Kernels.Cpu;

/// <summary>What kernels build from <see cref="ISimd{TSelf}"/>: loads that stop at a row's end, the exponential, dot products.</summary>
internal static unsafe class SimdMath
{
    /// <summary>A full register, or what is left of the row with zeros behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(float* source, long left)
        where T : unmanaged, ISimd<T> => left >= T.Width ? T.Load(source) : T.LoadPartial(source, (int)left);

    /// <summary>A full register, or what is left of the row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(T value, float* target, long left)
        where T : unmanaged, ISimd<T>
    {
        if (left >= T.Width) T.Store(value, target);
        else T.StorePartial(value, target, (int)left);
    }

    /// <summary>A full register to an aligned address, past the caches: what follows on another thread needs <see cref="StreamFence"/> first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreStreaming<T>(T value, float* target)
        where T : unmanaged, ISimd<T>
    {
        if (T.Width == 16) Unsafe.BitCast<T, Vector512<float>>(value).StoreAlignedNonTemporal(target);
        else if (T.Width == 8) Unsafe.BitCast<T, Vector256<float>>(value).StoreAlignedNonTemporal(target);
        else Unsafe.BitCast<T, Vector128<float>>(value).StoreAlignedNonTemporal(target);
    }

    /// <summary>Orders streamed stores before all that follows: x86 keeps them out of its usual order of stores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StreamFence()
    {
        if (Sse.IsSupported) Sse.StoreFence();
    }

    /// <summary>
    /// exp(x) within 2 ulp (the tests sample all exponents; 1 ulp seen), subnormal results included; 0 below -104, Inf above
    /// 88.73, NaN stays. Cephes expf (S. Moshier): x = n ln 2 + r, a polynomial in r, then the scale 2^n.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x)
        where T : unmanaged, ISimd<T>
    {
        // Adding 1.5 * 2^23 rounds to an integer.
        var rounder = T.Create(12582912f);
        x = T.Clamp(x, T.Create(-104.5f), T.Create(89f));
        var n = T.MultiplyAdd(x, T.Create(1.44269504088896341f), rounder) - rounder;
        var r = T.MultiplyAdd(n, T.Create(-Gaussian.Ln2High), x);
        r = T.MultiplyAdd(n, T.Create(-Gaussian.Ln2Low), r);
        var p = T.MultiplyAdd(T.Create(1.9875691500e-4f), r, T.Create(1.3981999507e-3f));
        p = T.MultiplyAdd(p, r, T.Create(8.3334519073e-3f));
        p = T.MultiplyAdd(p, r, T.Create(4.1665795894e-2f));
        p = T.MultiplyAdd(p, r, T.Create(1.6666665459e-1f));
        p = T.MultiplyAdd(p, r, T.Create(5.0000001201e-1f));
        p = T.MultiplyAdd(p, r * r, r) + T.Create(1f);
        return T.ScaleByPowerOfTwo(p, n);
    }

    /// <summary>value * 2^exponent in two factors, so that neither overflows before the result does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T ScaleInTwoSteps<T>(T value, T exponent)
        where T : unmanaged, ISimd<T>
    {
        var rounder = T.Create(12582912f); // leaves a whole number in the low mantissa bits
        var whole = T.SubtractInt(exponent + rounder, rounder);
        var half = T.ShiftRightArithmetic(whole, 1);
        return value * PowerOfTwo(half) * PowerOfTwo(T.SubtractInt(whole, half));
    }

    /// <summary>Sum of a[i] * b[i] in float32: four registers of partial sums, then one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot<T>(float* a, float* b, long count)
        where T : unmanaged, ISimd<T>
    {
        T s0 = default, s1 = default, s2 = default, s3 = default;
        long i = 0;
        for (; i + 4 * T.Width <= count; i += 4 * T.Width)
        {
            s0 = T.MultiplyAdd(T.Load(a + i), T.Load(b + i), s0);
            s1 = T.MultiplyAdd(T.Load(a + i + T.Width), T.Load(b + i + T.Width), s1);
            s2 = T.MultiplyAdd(T.Load(a + i + 2 * T.Width), T.Load(b + i + 2 * T.Width), s2);
            s3 = T.MultiplyAdd(T.Load(a + i + 3 * T.Width), T.Load(b + i + 3 * T.Width), s3);
        }

        for (; i < count; i += T.Width) s0 = T.MultiplyAdd(Load<T>(a + i, count - i), Load<T>(b + i, count - i), s0);
        return T.SumAcross(s0 + s1 + (s2 + s3));
    }

    /// <summary>Sum of a[i] * b[i] in float64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double DotWide<T>(float* a, float* b, long count)
        where T : unmanaged, ISimd<T>
    {
        T s0 = default, s1 = default, s2 = default, s3 = default;
        long i = 0;
        for (; i + 2 * T.Width <= count; i += 2 * T.Width)
        {
            T x = T.Load(a + i), y = T.Load(b + i), u = T.Load(a + i + T.Width), v = T.Load(b + i + T.Width);
            s0 = T.MultiplyAddDouble(T.WidenLower(x), T.WidenLower(y), s0);
            s1 = T.MultiplyAddDouble(T.WidenUpper(x), T.WidenUpper(y), s1);
            s2 = T.MultiplyAddDouble(T.WidenLower(u), T.WidenLower(v), s2);
            s3 = T.MultiplyAddDouble(T.WidenUpper(u), T.WidenUpper(v), s3);
        }

        for (; i < count; i += T.Width)
        {
            T x = Load<T>(a + i, count - i), y = Load<T>(b + i, count - i);
            s0 = T.MultiplyAddDouble(T.WidenLower(x), T.WidenLower(y), s0);
            s1 = T.MultiplyAddDouble(T.WidenUpper(x), T.WidenUpper(y), s1);
        }

        return T.SumDouble(T.AddDouble(T.AddDouble(s0, s1), T.AddDouble(s2, s3)));
    }

    /// <summary>Sum of a[i]^2 in float64: <see cref="DotWide"/> with half the conversions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SquaresWide<T>(float* a, long count)
        where T : unmanaged, ISimd<T>
    {
        T s0 = default, s1 = default, s2 = default, s3 = default;
        long i = 0;
        for (; i + 2 * T.Width <= count; i += 2 * T.Width)
        {
            T x = T.Load(a + i), y = T.Load(a + i + T.Width);
            T x0 = T.WidenLower(x), x1 = T.WidenUpper(x), y0 = T.WidenLower(y), y1 = T.WidenUpper(y);
            s0 = T.MultiplyAddDouble(x0, x0, s0);
            s1 = T.MultiplyAddDouble(x1, x1, s1);
            s2 = T.MultiplyAddDouble(y0, y0, s2);
            s3 = T.MultiplyAddDouble(y1, y1, s3);
        }

        for (; i < count; i += T.Width)
        {
            var x = Load<T>(a + i, count - i);
            T x0 = T.WidenLower(x), x1 = T.WidenUpper(x);
            s0 = T.MultiplyAddDouble(x0, x0, s0);
            s1 = T.MultiplyAddDouble(x1, x1, s1);
        }

        return T.SumDouble(T.AddDouble(T.AddDouble(s0, s1), T.AddDouble(s2, s3)));
    }

    /// <summary>sum[i] = a[i] + b[i]; the sum of their squares in float64, with the bits of <see cref="SquaresWide"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double AddSquaresWide<T>(float* sum, float* a, float* b, long count)
        where T : unmanaged, ISimd<T>
    {
        T s0 = default, s1 = default, s2 = default, s3 = default;
        long i = 0;
        for (; i + 2 * T.Width <= count; i += 2 * T.Width)
        {
            T x = T.Load(a + i) + T.Load(b + i), y = T.Load(a + i + T.Width) + T.Load(b + i + T.Width);
            T.Store(x, sum + i);
            T.Store(y, sum + i + T.Width);
            T x0 = T.WidenLower(x), x1 = T.WidenUpper(x), y0 = T.WidenLower(y), y1 = T.WidenUpper(y);
            s0 = T.MultiplyAddDouble(x0, x0, s0);
            s1 = T.MultiplyAddDouble(x1, x1, s1);
            s2 = T.MultiplyAddDouble(y0, y0, s2);
            s3 = T.MultiplyAddDouble(y1, y1, s3);
        }

        for (; i < count; i += T.Width)
        {
            long left = count - i;
            var x = Load<T>(a + i, left) + Load<T>(b + i, left);
            Store(x, sum + i, left);
            T x0 = T.WidenLower(x), x1 = T.WidenUpper(x);
            s0 = T.MultiplyAddDouble(x0, x0, s0);
            s1 = T.MultiplyAddDouble(x1, x1, s1);
        }

        return T.SumDouble(T.AddDouble(T.AddDouble(s0, s1), T.AddDouble(s2, s3)));
    }

    /// <summary>values *= factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale<T>(float* values, long count, float factor)
        where T : unmanaged, ISimd<T>
    {
        var scale = T.Create(factor);
        long i = 0;
        for (; i + T.Width <= count; i += T.Width) T.Store(T.Load(values + i) * scale, values + i);
        if (i < count) T.StorePartial(T.LoadPartial(values + i, (int)(count - i)) * scale, values + i, (int)(count - i));
    }

    /// <summary>target += factor * source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddScaled<T>(float* target, float* source, long count, float factor)
        where T : unmanaged, ISimd<T>
    {
        var scale = T.Create(factor);
        long i = 0;
        for (; i + T.Width <= count; i += T.Width) T.Store(T.MultiplyAdd(scale, T.Load(source + i), T.Load(target + i)), target + i);
        int left = (int)(count - i);
        if (left > 0) T.StorePartial(T.MultiplyAdd(scale, T.LoadPartial(source + i, left), T.LoadPartial(target + i, left)), target + i, left);
    }

    /// <summary>Largest value; NaN wins, -Inf for none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxOf<T>(float* values, long count)
        where T : unmanaged, ISimd<T>
    {
        var max = T.Create(float.NegativeInfinity);
        long i = 0;
        for (; i + T.Width <= count; i += T.Width) max = T.Max(max, T.Load(values + i));
        float result = T.MaxAcross(max);
        for (; i < count; i++) result = Math.Max(result, values[i]);
        return result;
    }

    /// <summary>Sum of a[i] in float64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SumWide<T>(float* a, long count)
        where T : unmanaged, ISimd<T>
    {
        T low = default, high = default;
        for (long i = 0; i < count; i += T.Width)
        {
            var x = Load<T>(a + i, count - i);
            low = T.AddDouble(T.WidenLower(x), low);
            high = T.AddDouble(T.WidenUpper(x), high);
        }

        return T.SumDouble(T.AddDouble(low, high));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T PowerOfTwo<T>(T exponent)
        where T : unmanaged, ISimd<T> => T.ShiftLeft(T.AddInt(exponent, T.CreateInt(127)), 23);
}
