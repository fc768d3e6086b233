using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>A device's rate of multiply-adds right before and right after a timing, in GFLOP/s: what the clock allowed just then.</summary>
/// <param name="Before">Before the first sample.</param>
/// <param name="After">After the last.</param>
internal sealed record NeighbouringPeak(double Before, double After)
{
    /// <summary>What a share of the timing in between is of.</summary>
    public double Mean => (Before + After) / 2;

    /// <summary>Times with a peak on either side, or without where the device has none.</summary>
    public static (Timing Timing, NeighbouringPeak? Peak) Around(Device device, Func<Timing> time)
    {
        double? before = device.MeasureMultiplyAdds();
        var timing = time();
        return (timing, before is { } rate && device.MeasureMultiplyAdds() is { } after ? new NeighbouringPeak(rate, after) : null);
    }
}
