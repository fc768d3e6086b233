using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RepNoise.Kernels.Cpu;

/// <summary>A 256-bit register; needs AVX2 and FMA.</summary>
internal unsafe struct Lanes256(Vector256<float> value) : ISimd<Lanes256>
{
    private Vector256<float> value = value;

    public static int Width => 8;

    public static Lanes256 Iota => new(Vector256<int>.Indices.AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Create(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 CreateInt(int value) => new(Vector256.Create(value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(float* source) => new(Vector256.Load(source));

    public static Lanes256 LoadPartial(float* source, int count)
    {
        if (Avx.IsSupported) return new(Avx.MaskLoad(source, Mask(count)));
        Vector256<float> lanes = default;
        for (int i = 0; i < count; i++) lanes = lanes.WithElement(i, source[i]);
        return new(lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 value, float* target) => value.value.Store(target);

    public static void StorePartial(Lanes256 value, float* target, int count)
    {
        if (Avx.IsSupported)
        {
            Avx.MaskStore(target, Mask(count), value.value);
            return;
        }

        for (int i = 0; i < count; i++) target[i] = value.value.GetElement(i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator +(Lanes256 a, Lanes256 b) => new(a.value + b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator -(Lanes256 a, Lanes256 b) => new(a.value - b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator *(Lanes256 a, Lanes256 b) => new(a.value * b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator /(Lanes256 a, Lanes256 b) => new(a.value / b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator &(Lanes256 a, Lanes256 b) => new(a.value & b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator ^(Lanes256 a, Lanes256 b) => new(a.value ^ b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyAdd(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Vector256.MultiplyAddEstimate(a.value, b.value, c.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddRow(float* a, int at, Lanes256 u, Lanes256 v, ref Lanes256 x, ref Lanes256 y)
    {
        var factor = Vector256.Create(a[at]);
        x.value = Vector256.MultiplyAddEstimate(u.value, factor, x.value);
        y.value = Vector256.MultiplyAddEstimate(v.value, factor, y.value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddRows(float* a, float* again, int at, Lanes256 u, Lanes256 v, ref Lanes256 x0, ref Lanes256 y0, ref Lanes256 x1, ref Lanes256 y1)
    {
        AddRow(a, at, u, v, ref x0, ref y0); // a product of this width reads no number for all its lanes
        AddRow(a, at + 1, u, v, ref x1, ref y1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 FusedMultiplyAdd(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Vector256.FusedMultiplyAdd(a.value, b.value, c.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Sqrt(Lanes256 value) => new(Vector256.Sqrt(value.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Min(Lanes256 a, Lanes256 b) => new(Vector256.Min(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Max(Lanes256 a, Lanes256 b) => new(Vector256.Max(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Clamp(Lanes256 value, Lanes256 low, Lanes256 high) => Avx.IsSupported
        ? new(Avx.Max(low.value, Avx.Min(high.value, value.value))) // the second operand wins where one is NaN
        : Max(Min(value, high), low);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ScaleByPowerOfTwo(Lanes256 value, Lanes256 exponent) => SimdMath.ScaleInTwoSteps(value, exponent);

    public static float MaxAcross(Lanes256 value) =>
        Lanes128.MaxAcross(new(Vector128.Max(value.value.GetLower(), value.value.GetUpper())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SumAcross(Lanes256 value) => Vector256.Sum(value.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Select(Lanes256 mask, Lanes256 a, Lanes256 b) =>
        new(Vector256.ConditionalSelect(mask.value, a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 AddInt(Lanes256 a, Lanes256 b) => new((a.value.AsInt32() + b.value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 SubtractInt(Lanes256 a, Lanes256 b) => new((a.value.AsInt32() - b.value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ShiftLeft(Lanes256 value, int bits) => new((value.value.AsInt32() << bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ShiftRightLogical(Lanes256 value, int bits) => new((value.value.AsInt32() >>> bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ShiftRightArithmetic(Lanes256 value, int bits) => new((value.value.AsInt32() >> bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 GreaterOrEqualInt(Lanes256 a, Lanes256 b) =>
        new(Vector256.GreaterThanOrEqual(a.value.AsInt32(), b.value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ToFloat(Lanes256 value) => new(Vector256.ConvertToSingle(value.value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Lanes256 Low, Lanes256 High) MultiplyWide(Lanes256 a, Lanes256 b)
    {
        Vector256<uint> x = a.value.AsUInt32(), y = b.value.AsUInt32();
        var even = Avx2.Multiply(x, y);
        var odd = Avx2.Multiply((x.AsUInt64() >>> 32).AsUInt32(), (y.AsUInt64() >>> 32).AsUInt32());
        var upper = Vector256.Create(0xFFFFFFFF00000000UL);
        return (new((x * y).AsSingle()), new(((even >>> 32) | (odd & upper)).AsSingle()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 WidenLower(Lanes256 value) => new(Vector256.WidenLower(value.value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 WidenUpper(Lanes256 value) => new(Vector256.WidenUpper(value.value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 AddDouble(Lanes256 a, Lanes256 b) => new((a.value.AsDouble() + b.value.AsDouble()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyAddDouble(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Vector256.MultiplyAddEstimate(a.value.AsDouble(), b.value.AsDouble(), c.value.AsDouble()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SumDouble(Lanes256 value) => Vector256.Sum(value.value.AsDouble());

    /// <inheritdoc cref="Lanes512.Transpose"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, long* lines, float* target, long targetStride) =>
        TransposeBlock(false, default, source, lines, target, targetStride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransposeScaled(Lanes256 factors, float* source, long* lines, float* target, long targetStride) =>
        TransposeBlock(true, factors.value, source, lines, target, targetStride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeBlock(bool scaled, Vector256<float> factors, float* source, long* lines, float* target, long targetStride)
    {
        for (int half = 0; half < 8; half += 4)
        {
            float* from = source + half;
            Vector256<float> a = Halves(from, lines), b = Halves(from, lines + 1), c = Halves(from, lines + 2), d = Halves(from, lines + 3);
            StoreColumns(scaled, factors, a, b, c, d, target + half * targetStride, targetStride);
        }
    }

    /// <summary>Four columns of lines 0 and 4.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Halves(float* source, long* lines) =>
        Avx.InsertVector128(Vector128.Load(source + lines[0]).ToVector256Unsafe(), Vector128.Load(source + lines[4]), 1);

    /// <summary>Transposes the 4 x 4 block in both 128-bit lanes and stores the four columns, times the factors where they are scaled.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreColumns(
        bool scaled, Vector256<float> factors, Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, float* target, long stride)
    {
        Vector256<double> abLow = Avx.UnpackLow(a, b).AsDouble(), abHigh = Avx.UnpackHigh(a, b).AsDouble();
        Vector256<double> cdLow = Avx.UnpackLow(c, d).AsDouble(), cdHigh = Avx.UnpackHigh(c, d).AsDouble();
        Vector256<float> first = Avx.UnpackLow(abLow, cdLow).AsSingle(), second = Avx.UnpackHigh(abLow, cdLow).AsSingle();
        Vector256<float> third = Avx.UnpackLow(abHigh, cdHigh).AsSingle(), fourth = Avx.UnpackHigh(abHigh, cdHigh).AsSingle();
        (scaled ? factors * first : first).Store(target);
        (scaled ? factors * second : second).Store(target + stride);
        (scaled ? factors * third : third).Store(target + 2 * stride);
        (scaled ? factors * fourth : fourth).Store(target + 3 * stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Mask(int count) =>
        Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Quarter(Lanes256 value, int index) => index == 0 ? value.value.GetLower() : value.value.GetUpper();
}
