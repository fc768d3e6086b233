namespace RepNoise.Kernels;

/// <summary>
/// What an operation needs at least: floating-point operations (a multiply-add is two) and bytes that must cross the memory
/// bus once, given the size of an element. Benchmarks, the profiler and the memory plan read costs from here.
/// </summary>
/// <param name="Flops">Floating-point operations.</param>
/// <param name="Bytes">Bytes read and written, each tensor once.</param>
public readonly record struct OpCost(double Flops, double Bytes)
{
    /// <summary>FLOPs per byte.</summary>
    public double Intensity => Bytes == 0 ? 0 : Flops / Bytes;

    public static OpCost operator +(OpCost a, OpCost b) => new(a.Flops + b.Flops, a.Bytes + b.Bytes);

    public static OpCost operator *(OpCost a, double times) => new(a.Flops * times, a.Bytes * times);

    public static OpCost Add(OpCost a, OpCost b) => a + b;

    public static OpCost Multiply(OpCost a, double times) => a * times;
}
