namespace RepNoise.Kernels;

/// <summary>
/// What a device can do at most, as measured on it: the two roofs of the roofline model (Williams, Waterman and Patterson,
/// CACM 52(4), 2009). An operation is at its limit when its FLOPs or its bytes, whichever take longer, take all of its time.
/// </summary>
/// <param name="Gflops">Highest rate of float32 multiply-adds, in GFLOP/s; a multiply-add is two.</param>
/// <param name="GigabytesPerSecond">Highest rate to and from main memory, in GB/s (10^9 bytes).</param>
public record DeviceLimits(double Gflops, double GigabytesPerSecond)
{
    /// <summary>
    /// The shortest time that the roofs allow, in seconds. Operands that lie in a cache can be faster than the memory roof, so a
    /// share of the limit over 1 means "out of cache".
    /// </summary>
    public double LeastSeconds(OpCost cost) => Math.Max(cost.Flops / (Gflops * 1e9), cost.Bytes / (GigabytesPerSecond * 1e9));

    /// <summary>True where the FLOPs of an operation, not its bytes, set its least time.</summary>
    public bool IsComputeBound(OpCost cost) => cost.Flops / Gflops >= cost.Bytes / GigabytesPerSecond;
}

/// <summary>Limits: measured when asked for, never on the way of an operation.</summary>
public abstract partial class Device
{
    /// <summary>
    /// Measures this device's limits now, with the threads it has; takes up to a second and memory of its own meanwhile. Null where
    /// a roofline would say nothing: the reference devices.
    /// </summary>
    /// <exception cref="DeviceException">The device has no memory left for the measurement.</exception>
    public virtual DeviceLimits? MeasureLimits() => null;

    /// <summary>
    /// The rate of multiply-adds right now, in GFLOP/s, in a few milliseconds: for figures that are to be held against one moment, on
    /// machines whose clock moves. Null where <see cref="MeasureLimits"/> is.
    /// </summary>
    public virtual double? MeasureMultiplyAdds() => null;
}
