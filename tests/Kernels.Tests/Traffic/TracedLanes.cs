using System.Runtime.Intrinsics;
using RepNoise.Kernels.Cpu;

namespace RepNoise.Kernels.Tests.Traffic;

/// <summary>
/// <see cref="Lanes128"/> that tell <see cref="CacheSimulator.Current"/> of every load and store, so that the very kernels that run are
/// traced. What code outside them reads, or clears and copies, is not seen.
/// </summary>
internal unsafe struct TracedLanes(Lanes128 value) : ISimd<TracedLanes>
{
    private Lanes128 value = value;

    public static int Width => Lanes128.Width;

    public static TracedLanes Iota => new(Lanes128.Iota);

    public static TracedLanes Create(float value) => new(Lanes128.Create(value));

    public static TracedLanes CreateInt(int value) => new(Lanes128.CreateInt(value));

    public static TracedLanes Load(float* source)
    {
        Touch(source, Width, isStore: false);
        return new(Lanes128.Load(source));
    }

    public static TracedLanes LoadPartial(float* source, int count)
    {
        Touch(source, count, isStore: false);
        return new(Lanes128.LoadPartial(source, count));
    }

    public static void Store(TracedLanes value, float* target)
    {
        Touch(target, Width, isStore: true);
        Lanes128.Store(value.value, target);
    }

    public static void StorePartial(TracedLanes value, float* target, int count)
    {
        Touch(target, count, isStore: true);
        Lanes128.StorePartial(value.value, target, count);
    }

    public static TracedLanes operator +(TracedLanes a, TracedLanes b) => new(a.value + b.value);

    public static TracedLanes operator -(TracedLanes a, TracedLanes b) => new(a.value - b.value);

    public static TracedLanes operator *(TracedLanes a, TracedLanes b) => new(a.value * b.value);

    public static TracedLanes operator /(TracedLanes a, TracedLanes b) => new(a.value / b.value);

    public static TracedLanes operator &(TracedLanes a, TracedLanes b) => new(a.value & b.value);

    public static TracedLanes operator ^(TracedLanes a, TracedLanes b) => new(a.value ^ b.value);

    public static TracedLanes MultiplyAdd(TracedLanes a, TracedLanes b, TracedLanes c) => new(Lanes128.MultiplyAdd(a.value, b.value, c.value));

    public static void AddRow(float* a, int at, TracedLanes u, TracedLanes v, ref TracedLanes x, ref TracedLanes y)
    {
        Touch(a + at, 1, isStore: false);
        Lanes128.AddRow(a, at, u.value, v.value, ref x.value, ref y.value);
    }

    public static void AddRows(
        float* a, float* again, int at, TracedLanes u, TracedLanes v, ref TracedLanes x0, ref TracedLanes y0, ref TracedLanes x1, ref TracedLanes y1)
    {
        AddRow(a, at, u, v, ref x0, ref y0);
        AddRow(a, at + 1, u, v, ref x1, ref y1);
    }

    public static TracedLanes FusedMultiplyAdd(TracedLanes a, TracedLanes b, TracedLanes c) => new(Lanes128.FusedMultiplyAdd(a.value, b.value, c.value));

    public static TracedLanes Sqrt(TracedLanes value) => new(Lanes128.Sqrt(value.value));

    public static TracedLanes Min(TracedLanes a, TracedLanes b) => new(Lanes128.Min(a.value, b.value));

    public static TracedLanes Max(TracedLanes a, TracedLanes b) => new(Lanes128.Max(a.value, b.value));

    public static TracedLanes Clamp(TracedLanes value, TracedLanes low, TracedLanes high) => new(Lanes128.Clamp(value.value, low.value, high.value));

    public static TracedLanes ScaleByPowerOfTwo(TracedLanes value, TracedLanes exponent) => new(Lanes128.ScaleByPowerOfTwo(value.value, exponent.value));

    public static float MaxAcross(TracedLanes value) => Lanes128.MaxAcross(value.value);

    public static float SumAcross(TracedLanes value) => Lanes128.SumAcross(value.value);

    public static TracedLanes Select(TracedLanes mask, TracedLanes a, TracedLanes b) => new(Lanes128.Select(mask.value, a.value, b.value));

    public static TracedLanes AddInt(TracedLanes a, TracedLanes b) => new(Lanes128.AddInt(a.value, b.value));

    public static TracedLanes SubtractInt(TracedLanes a, TracedLanes b) => new(Lanes128.SubtractInt(a.value, b.value));

    public static TracedLanes ShiftLeft(TracedLanes value, int bits) => new(Lanes128.ShiftLeft(value.value, bits));

    public static TracedLanes ShiftRightLogical(TracedLanes value, int bits) => new(Lanes128.ShiftRightLogical(value.value, bits));

    public static TracedLanes ShiftRightArithmetic(TracedLanes value, int bits) => new(Lanes128.ShiftRightArithmetic(value.value, bits));

    public static TracedLanes GreaterOrEqualInt(TracedLanes a, TracedLanes b) => new(Lanes128.GreaterOrEqualInt(a.value, b.value));

    public static TracedLanes ToFloat(TracedLanes value) => new(Lanes128.ToFloat(value.value));

    public static (TracedLanes Low, TracedLanes High) MultiplyWide(TracedLanes a, TracedLanes b)
    {
        var (low, high) = Lanes128.MultiplyWide(a.value, b.value);
        return (new(low), new(high));
    }

    public static TracedLanes WidenLower(TracedLanes value) => new(Lanes128.WidenLower(value.value));

    public static TracedLanes WidenUpper(TracedLanes value) => new(Lanes128.WidenUpper(value.value));

    public static TracedLanes AddDouble(TracedLanes a, TracedLanes b) => new(Lanes128.AddDouble(a.value, b.value));

    public static TracedLanes MultiplyAddDouble(TracedLanes a, TracedLanes b, TracedLanes c) => new(Lanes128.MultiplyAddDouble(a.value, b.value, c.value));

    public static double SumDouble(TracedLanes value) => Lanes128.SumDouble(value.value);

    public static void Transpose(float* source, long* lines, float* target, long targetStride)
    {
        TouchBlock(source, lines, target, targetStride);
        Lanes128.Transpose(source, lines, target, targetStride);
    }

    public static void TransposeScaled(TracedLanes factors, float* source, long* lines, float* target, long targetStride)
    {
        TouchBlock(source, lines, target, targetStride);
        Lanes128.TransposeScaled(factors.value, source, lines, target, targetStride);
    }

    public static Vector128<float> Quarter(TracedLanes value, int index) => Lanes128.Quarter(value.value, index);

    private static void TouchBlock(float* source, long* lines, float* target, long targetStride)
    {
        for (int i = 0; i < Width; i++) Touch(source + lines[i], Width, isStore: false);
        for (int i = 0; i < Width; i++) Touch(target + i * targetStride, Width, isStore: true);
    }

    private static void Touch(float* address, int count, bool isStore) => CacheSimulator.Current?.Touch(address, count * sizeof(float), isStore);
}
