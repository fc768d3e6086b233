using System.Diagnostics;
using RepNoise.Kernels;

namespace RepNoise.Host.Profiling;

/// <summary>Time of a group of events and what the operations in it need.</summary>
internal sealed class ProfileSum
{
    /// <summary>Operations or scopes in the group.</summary>
    public int Calls { get; private set; }

    /// <summary>Their time, of which no part is counted twice.</summary>
    public long Ticks { get; set; }

    /// <summary>FLOPs and bytes that the operations need at least.</summary>
    public OpCost Cost { get; private set; }

    /// <summary>Bytes that the operations' models say they move past the cores' own caches; 0 where the device has no models.</summary>
    public double Moved { get; private set; }

    /// <summary>Bytes that last-level cache misses brought meanwhile, where they are counted.</summary>
    public long Missed { get; private set; }

    /// <summary>The shortest time that the device's limits allow those operations, one after the other; 0 where the limits are not known.</summary>
    public double LeastSeconds { get; private set; }

    /// <summary>Time that the device's threads worked in it, all together.</summary>
    public long WorkTicks { get; private set; }

    public double Seconds => Ticks / (double)Stopwatch.Frequency;

    /// <summary>GFLOP/s.</summary>
    public double Gflops => Seconds > 0 ? Cost.Flops / Seconds / 1e9 : 0;

    /// <summary>GB/s of the bytes that are needed.</summary>
    public double GigabytesPerSecond => Seconds > 0 ? Cost.Bytes / Seconds / 1e9 : 0;

    /// <summary>Least time over time: 1 is the roofline, more is out of cache. Null where there is none.</summary>
    public double? Roofline => LeastSeconds > 0 && Seconds > 0 ? LeastSeconds / Seconds : null;

    public void AddCall(long ticks)
    {
        Calls++;
        Ticks += ticks;
    }

    /// <summary>Adds what an operation needs and moves, and how long threads worked for it; of a scope there is nothing but the latter.</summary>
    public void AddCost(in ProfileEvent item, long workTicks, DeviceLimits? limits)
    {
        WorkTicks += workTicks;
        if (!item.IsOperation) return;
        Cost += item.Cost;
        Moved += item.Moved;
        Missed += item.Missed;
        LeastSeconds += limits?.LeastSeconds(item.Cost) ?? 0;
    }
}
