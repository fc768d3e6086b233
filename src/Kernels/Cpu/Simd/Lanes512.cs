using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RepNoise.Kernels.Cpu;

/// <summary>A 512-bit register; needs AVX-512 F and DQ.</summary>
internal unsafe struct Lanes512(Vector512<float> value) : ISimd<Lanes512>
{
    private Vector512<float> value = value;

    public static int Width => 16;

    public static Lanes512 Iota => new(Vector512<int>.Indices.AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Create(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 CreateInt(int value) => new(Vector512.Create(value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(float* source) => new(Vector512.Load(source));

    public static Lanes512 LoadPartial(float* source, int count)
    {
        if (Avx512F.IsSupported) return new(Avx512F.MaskLoad(source, Mask(count), Vector512<float>.Zero));
        Vector512<float> lanes = default;
        for (int i = 0; i < count; i++) lanes = lanes.WithElement(i, source[i]);
        return new(lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 value, float* target) => value.value.Store(target);

    public static void StorePartial(Lanes512 value, float* target, int count)
    {
        if (Avx512F.IsSupported)
        {
            Avx512F.MaskStore(target, Mask(count), value.value);
            return;
        }

        for (int i = 0; i < count; i++) target[i] = value.value.GetElement(i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator +(Lanes512 a, Lanes512 b) => new(a.value + b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator -(Lanes512 a, Lanes512 b) => new(a.value - b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator *(Lanes512 a, Lanes512 b) => new(a.value * b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator /(Lanes512 a, Lanes512 b) => new(a.value / b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator &(Lanes512 a, Lanes512 b) => new(a.value & b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator ^(Lanes512 a, Lanes512 b) => new(a.value ^ b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) =>
        new(Vector512.MultiplyAddEstimate(a.value, b.value, c.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddRow(float* a, int at, Lanes512 u, Lanes512 v, ref Lanes512 x, ref Lanes512 y)
    {
        var factor = Vector512.Create(a[at]);
        x.value = Vector512.MultiplyAddEstimate(u.value, factor, x.value);
        y.value = Vector512.MultiplyAddEstimate(v.value, factor, y.value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddRows(float* a, float* again, int at, Lanes512 u, Lanes512 v, ref Lanes512 x0, ref Lanes512 y0, ref Lanes512 x1, ref Lanes512 y1)
    {
        var factor = Vector512.Create(a[at]);
        x0.value = Vector512.MultiplyAddEstimate(u.value, factor, x0.value);
        y0.value = Vector512.MultiplyAddEstimate(v.value, factor, y0.value);
        x1.value = Vector512.MultiplyAddEstimate(u.value, Vector512.Create(a[at + 1]), x1.value);
        y1.value = Vector512.MultiplyAddEstimate(v.value, Vector512.Create(again[at + 1]), y1.value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 FusedMultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) =>
        new(Vector512.FusedMultiplyAdd(a.value, b.value, c.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Sqrt(Lanes512 value) => new(Vector512.Sqrt(value.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Min(Lanes512 a, Lanes512 b) => new(Vector512.Min(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Max(Lanes512 a, Lanes512 b) => new(Vector512.Max(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Clamp(Lanes512 value, Lanes512 low, Lanes512 high) => Avx512F.IsSupported
        ? new(Avx512F.Max(low.value, Avx512F.Min(high.value, value.value))) // the second operand wins where one is NaN
        : Max(Min(value, high), low);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ScaleByPowerOfTwo(Lanes512 value, Lanes512 exponent) => Avx512F.IsSupported
        ? new(Avx512F.Scale(value.value, exponent.value))
        : SimdMath.ScaleInTwoSteps(value, exponent);

    public static float MaxAcross(Lanes512 value) =>
        Lanes256.MaxAcross(new(Vector256.Max(value.value.GetLower(), value.value.GetUpper())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SumAcross(Lanes512 value) => Vector512.Sum(value.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Select(Lanes512 mask, Lanes512 a, Lanes512 b) =>
        new(Vector512.ConditionalSelect(mask.value, a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 AddInt(Lanes512 a, Lanes512 b) => new((a.value.AsInt32() + b.value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 SubtractInt(Lanes512 a, Lanes512 b) => new((a.value.AsInt32() - b.value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ShiftLeft(Lanes512 value, int bits) => new((value.value.AsInt32() << bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ShiftRightLogical(Lanes512 value, int bits) => new((value.value.AsInt32() >>> bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ShiftRightArithmetic(Lanes512 value, int bits) => new((value.value.AsInt32() >> bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 GreaterOrEqualInt(Lanes512 a, Lanes512 b) =>
        new(Vector512.GreaterThanOrEqual(a.value.AsInt32(), b.value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ToFloat(Lanes512 value) => new(Vector512.ConvertToSingle(value.value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Lanes512 Low, Lanes512 High) MultiplyWide(Lanes512 a, Lanes512 b)
    {
        Vector512<uint> x = a.value.AsUInt32(), y = b.value.AsUInt32();
        var even = Avx512F.Multiply(x, y);
        var odd = Avx512F.Multiply((x.AsUInt64() >>> 32).AsUInt32(), (y.AsUInt64() >>> 32).AsUInt32());
        var upper = Vector512.Create(0xFFFFFFFF00000000UL);
        return (new((x * y).AsSingle()), new(((even >>> 32) | (odd & upper)).AsSingle()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 WidenLower(Lanes512 value) => new(Vector512.WidenLower(value.value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 WidenUpper(Lanes512 value) => new(Vector512.WidenUpper(value.value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 AddDouble(Lanes512 a, Lanes512 b) => new((a.value.AsDouble() + b.value.AsDouble()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyAddDouble(Lanes512 a, Lanes512 b, Lanes512 c) =>
        new(Vector512.MultiplyAddEstimate(a.value.AsDouble(), b.value.AsDouble(), c.value.AsDouble()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SumDouble(Lanes512 value) => Vector512.Sum(value.value.AsDouble());

    /// <remarks>
    /// Quarters of four lines meet in one register by inserts from memory, which need no shuffle port (a 16 x 16 block: 48
    /// inserts and 32 shuffles; with 64 shuffles it is that port that limits); then 4 x 4 blocks are transposed within lanes.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, long* lines, float* target, long targetStride) =>
        TransposeBlock(false, default, source, lines, target, targetStride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransposeScaled(Lanes512 factors, float* source, long* lines, float* target, long targetStride) =>
        TransposeBlock(true, factors.value, source, lines, target, targetStride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeBlock(bool scaled, Vector512<float> factors, float* source, long* lines, float* target, long targetStride)
    {
        Gather(source, lines, out var a0, out var a1, out var a2, out var a3);
        Gather(source, lines + 1, out var b0, out var b1, out var b2, out var b3);
        Gather(source, lines + 2, out var c0, out var c1, out var c2, out var c3);
        Gather(source, lines + 3, out var d0, out var d1, out var d2, out var d3);
        StoreColumns(scaled, factors, a0, b0, c0, d0, target, targetStride);
        StoreColumns(scaled, factors, a1, b1, c1, d1, target + 4 * targetStride, targetStride);
        StoreColumns(scaled, factors, a2, b2, c2, d2, target + 8 * targetStride, targetStride);
        StoreColumns(scaled, factors, a3, b3, c3, d3, target + 12 * targetStride, targetStride);
    }

    /// <summary>Register q: columns 4q to 4q + 3 of lines 0, 4, 8 and 12.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Gather(
        float* source, long* lines, out Vector512<float> r0, out Vector512<float> r1, out Vector512<float> r2, out Vector512<float> r3)
    {
        float* a = source + lines[0], b = source + lines[4], c = source + lines[8], d = source + lines[12];
        r0 = Quarters(a, b, c, d);
        r1 = Quarters(a + 4, b + 4, c + 4, d + 4);
        r2 = Quarters(a + 8, b + 8, c + 8, d + 8);
        r3 = Quarters(a + 12, b + 12, c + 12, d + 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(float* a, float* b, float* c, float* d)
    {
        var lanes = Vector128.Load(a).ToVector256Unsafe().ToVector512Unsafe();
        lanes = Avx512F.InsertVector128(lanes, Vector128.Load(b), 1);
        lanes = Avx512F.InsertVector128(lanes, Vector128.Load(c), 2);
        return Avx512F.InsertVector128(lanes, Vector128.Load(d), 3);
    }

    /// <summary>Transposes the 4 x 4 block in every 128-bit lane and stores the four columns, times the factors where they are scaled.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreColumns(
        bool scaled, Vector512<float> factors, Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* target, long stride)
    {
        Vector512<double> abLow = Avx512F.UnpackLow(a, b).AsDouble(), abHigh = Avx512F.UnpackHigh(a, b).AsDouble();
        Vector512<double> cdLow = Avx512F.UnpackLow(c, d).AsDouble(), cdHigh = Avx512F.UnpackHigh(c, d).AsDouble();
        Vector512<float> first = Avx512F.UnpackLow(abLow, cdLow).AsSingle(), second = Avx512F.UnpackHigh(abLow, cdLow).AsSingle();
        Vector512<float> third = Avx512F.UnpackLow(abHigh, cdHigh).AsSingle(), fourth = Avx512F.UnpackHigh(abHigh, cdHigh).AsSingle();
        (scaled ? factors * first : first).Store(target);
        (scaled ? factors * second : second).Store(target + stride);
        (scaled ? factors * third : third).Store(target + 2 * stride);
        (scaled ? factors * fourth : fourth).Store(target + 3 * stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Mask(int count) =>
        Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Quarter(Lanes512 value, int index) =>
        Lanes256.Quarter(new((index & 2) == 0 ? value.value.GetLower() : value.value.GetUpper()), index & 1);
}
