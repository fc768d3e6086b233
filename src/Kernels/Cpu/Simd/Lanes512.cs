using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RepNoise.Kernels.Cpu;

/// <summary>A 512-bit register; needs AVX-512 F and DQ.</summary>
internal readonly unsafe struct Lanes512(Vector512<float> value) : ISimd<Lanes512>
{
    private readonly Vector512<float> value = value;

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

    public static void Transpose(float* source, long sourceStride, int rows, float* target, long targetStride)
    {
        Vector512<float>* r = stackalloc Vector512<float>[16];
        for (int i = 0; i < 16; i += 4) LoadColumns(source, sourceStride, rows, i, r + i);
        for (int c = 0; c < 4; c++) Gather(r + c);
        // Register 4g + c now holds source column 4g + c: ascending order, see the contract.
        for (int k = 0; k < 16; k++) r[k].Store(target + k * targetStride);
    }

    /// <summary>4 x 4 transposes of rows i to i + 3: register c, 128-bit lane g holds column 4g + c.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadColumns(float* source, long stride, int rows, int i, Vector512<float>* r)
    {
        var a = Vector512.Load(source + Math.Min(i, rows - 1) * stride);
        var b = Vector512.Load(source + Math.Min(i + 1, rows - 1) * stride);
        var c = Vector512.Load(source + Math.Min(i + 2, rows - 1) * stride);
        var d = Vector512.Load(source + Math.Min(i + 3, rows - 1) * stride);
        var abLow = Avx512F.UnpackLow(a, b).AsDouble();
        var abHigh = Avx512F.UnpackHigh(a, b).AsDouble();
        var cdLow = Avx512F.UnpackLow(c, d).AsDouble();
        var cdHigh = Avx512F.UnpackHigh(c, d).AsDouble();
        r[0] = Avx512F.UnpackLow(abLow, cdLow).AsSingle();
        r[1] = Avx512F.UnpackHigh(abLow, cdLow).AsSingle();
        r[2] = Avx512F.UnpackLow(abHigh, cdHigh).AsSingle();
        r[3] = Avx512F.UnpackHigh(abHigh, cdHigh).AsSingle();
    }

    /// <summary>Transposes the 128-bit lanes of registers 0, 4, 8 and 12.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Gather(Vector512<float>* r)
    {
        var lowAB = Avx512F.Shuffle4x128(r[0], r[4], 0x44);
        var lowCD = Avx512F.Shuffle4x128(r[8], r[12], 0x44);
        var highAB = Avx512F.Shuffle4x128(r[0], r[4], 0xEE);
        var highCD = Avx512F.Shuffle4x128(r[8], r[12], 0xEE);
        r[0] = Avx512F.Shuffle4x128(lowAB, lowCD, 0x88);
        r[4] = Avx512F.Shuffle4x128(lowAB, lowCD, 0xDD);
        r[8] = Avx512F.Shuffle4x128(highAB, highCD, 0x88);
        r[12] = Avx512F.Shuffle4x128(highAB, highCD, 0xDD);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Mask(int count) =>
        Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Quarter(Lanes512 value, int index) =>
        Lanes256.Quarter(new((index & 2) == 0 ? value.value.GetLower() : value.value.GetUpper()), index & 1);
}
