using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace RepNoise.Kernels.Cpu;

/// <summary>A 128-bit register: every machine.</summary>
internal unsafe struct Lanes128(Vector128<float> value) : ISimd<Lanes128>
{
    private Vector128<float> value = value;

    public static int Width => 4;

    public static Lanes128 Iota => new(Vector128<int>.Indices.AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Create(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 CreateInt(int value) => new(Vector128.Create(value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Load(float* source) => new(Vector128.Load(source));

    public static Lanes128 LoadPartial(float* source, int count)
    {
        Vector128<float> lanes = default;
        for (int i = 0; i < count; i++) lanes = lanes.WithElement(i, source[i]);
        return new(lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes128 value, float* target) => value.value.Store(target);

    public static void StorePartial(Lanes128 value, float* target, int count)
    {
        for (int i = 0; i < count; i++) target[i] = value.value.GetElement(i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator +(Lanes128 a, Lanes128 b) => new(a.value + b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator -(Lanes128 a, Lanes128 b) => new(a.value - b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator *(Lanes128 a, Lanes128 b) => new(a.value * b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator /(Lanes128 a, Lanes128 b) => new(a.value / b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator &(Lanes128 a, Lanes128 b) => new(a.value & b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator ^(Lanes128 a, Lanes128 b) => new(a.value ^ b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 MultiplyAdd(Lanes128 a, Lanes128 b, Lanes128 c) =>
        new(Vector128.MultiplyAddEstimate(a.value, b.value, c.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddRow(float* a, int at, Lanes128 u, Lanes128 v, ref Lanes128 x, ref Lanes128 y)
    {
        var factor = Vector128.Create(a[at]);
        x.value = Vector128.MultiplyAddEstimate(u.value, factor, x.value);
        y.value = Vector128.MultiplyAddEstimate(v.value, factor, y.value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddRows(float* a, float* again, int at, Lanes128 u, Lanes128 v, ref Lanes128 x0, ref Lanes128 y0, ref Lanes128 x1, ref Lanes128 y1)
    {
        AddRow(a, at, u, v, ref x0, ref y0); // a product of this width reads no number for all its lanes
        AddRow(a, at + 1, u, v, ref x1, ref y1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 FusedMultiplyAdd(Lanes128 a, Lanes128 b, Lanes128 c) =>
        new(Vector128.FusedMultiplyAdd(a.value, b.value, c.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Sqrt(Lanes128 value) => new(Vector128.Sqrt(value.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Min(Lanes128 a, Lanes128 b) => new(Vector128.Min(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Max(Lanes128 a, Lanes128 b) => new(Vector128.Max(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Clamp(Lanes128 value, Lanes128 low, Lanes128 high) => Sse.IsSupported
        ? new(Sse.Max(low.value, Sse.Min(high.value, value.value))) // the second operand wins where one is NaN
        : Max(Min(value, high), low);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ScaleByPowerOfTwo(Lanes128 value, Lanes128 exponent) => SimdMath.ScaleInTwoSteps(value, exponent);

    public static float MaxAcross(Lanes128 value)
    {
        var pairs = Vector128.Max(value.value, Vector128.Shuffle(value.value, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Max(pairs, Vector128.Shuffle(pairs, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SumAcross(Lanes128 value) => Vector128.Sum(value.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Select(Lanes128 mask, Lanes128 a, Lanes128 b) =>
        new(Vector128.ConditionalSelect(mask.value, a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 AddInt(Lanes128 a, Lanes128 b) => new((a.value.AsInt32() + b.value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 SubtractInt(Lanes128 a, Lanes128 b) => new((a.value.AsInt32() - b.value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ShiftLeft(Lanes128 value, int bits) => new((value.value.AsInt32() << bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ShiftRightLogical(Lanes128 value, int bits) => new((value.value.AsInt32() >>> bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ShiftRightArithmetic(Lanes128 value, int bits) => new((value.value.AsInt32() >> bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 GreaterOrEqualInt(Lanes128 a, Lanes128 b) =>
        new(Vector128.GreaterThanOrEqual(a.value.AsInt32(), b.value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ToFloat(Lanes128 value) => new(Vector128.ConvertToSingle(value.value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Lanes128 Low, Lanes128 High) MultiplyWide(Lanes128 a, Lanes128 b)
    {
        Vector128<uint> x = a.value.AsUInt32(), y = b.value.AsUInt32();
        var (x0, x1) = Vector128.Widen(x);
        var (y0, y1) = Vector128.Widen(y);
        var high = Vector128.Narrow((x0 * y0) >>> 32, (x1 * y1) >>> 32);
        return (new((x * y).AsSingle()), new(high.AsSingle()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 WidenLower(Lanes128 value) => new(Vector128.WidenLower(value.value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 WidenUpper(Lanes128 value) => new(Vector128.WidenUpper(value.value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 AddDouble(Lanes128 a, Lanes128 b) => new((a.value.AsDouble() + b.value.AsDouble()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 MultiplyAddDouble(Lanes128 a, Lanes128 b, Lanes128 c) =>
        new(Vector128.MultiplyAddEstimate(a.value.AsDouble(), b.value.AsDouble(), c.value.AsDouble()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SumDouble(Lanes128 value) => Vector128.Sum(value.value.AsDouble());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, long* lines, float* target, long targetStride) =>
        TransposeBlock(false, default, source, lines, target, targetStride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransposeScaled(Lanes128 factors, float* source, long* lines, float* target, long targetStride) =>
        TransposeBlock(true, factors.value, source, lines, target, targetStride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeBlock(bool scaled, Vector128<float> factors, float* source, long* lines, float* target, long targetStride)
    {
        var a = Vector128.Load(source + lines[0]);
        var b = Vector128.Load(source + lines[1]);
        var c = Vector128.Load(source + lines[2]);
        var d = Vector128.Load(source + lines[3]);
        Transpose4(ref a, ref b, ref c, ref d);
        (scaled ? factors * a : a).Store(target);
        (scaled ? factors * b : b).Store(target + targetStride);
        (scaled ? factors * c : c).Store(target + 2 * targetStride);
        (scaled ? factors * d : d).Store(target + 3 * targetStride);
    }

    /// <summary>Transposes a 4 x 4 block in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose4(ref Vector128<float> a, ref Vector128<float> b, ref Vector128<float> c, ref Vector128<float> d)
    {
        var (acLow, acHigh) = Zip(a, c);
        var (bdLow, bdHigh) = Zip(b, d);
        (a, b) = Zip(acLow, bdLow);
        (c, d) = Zip(acHigh, bdHigh);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<float> Low, Vector128<float> High) Zip(Vector128<float> a, Vector128<float> b)
    {
        if (Sse.IsSupported) return (Sse.UnpackLow(a, b), Sse.UnpackHigh(a, b));
        if (AdvSimd.Arm64.IsSupported) return (AdvSimd.Arm64.ZipLow(a, b), AdvSimd.Arm64.ZipHigh(a, b));
        return (Vector128.Create(a[0], b[0], a[1], b[1]), Vector128.Create(a[2], b[2], a[3], b[3]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Quarter(Lanes128 value, int index) => value.value;
}
