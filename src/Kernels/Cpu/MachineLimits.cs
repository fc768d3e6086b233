using System.Diagnostics;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Limits of this processor with a number of threads: multiply-adds on registers, and the triad a = b + s c (McCalpin, STREAM,
/// 1995) over arrays that together pass the last level of cache. Each figure is the median of several repeats, so a neighbour
/// on a shared machine lowers it only if it stays. Takes about a tenth of a second, up to a second where the cache is of the
/// hundreds of megabytes.
/// </summary>
/// <param name="Threads">Threads that worked.</param>
/// <param name="VectorBits">Register width of the widest vectors.</param>
/// <param name="Gflops">float32 multiply-adds, GFLOP/s, all threads together.</param>
/// <param name="TriadGigabytesPerSecond">Triad with ordinary stores, GB/s; two arrays read and one written are counted, as STREAM does.</param>
/// <param name="StreamedTriadGigabytesPerSecond">Triad with stores that pass the caches by, GB/s.</param>
public sealed record MachineLimits(
    int Threads, int VectorBits, double Gflops, double TriadGigabytesPerSecond, double StreamedTriadGigabytesPerSecond)
    : DeviceLimits(Gflops, Math.Max(TriadGigabytesPerSecond, StreamedTriadGigabytesPerSecond))
{
    /// <summary>
    /// float32 products in the processor's tile registers (<c>amx</c>), GFLOP/s, all threads together; null where they cannot be used. Over <see cref="DeviceLimits.Gflops"/>,
    /// which stays what shares are of: a variant by tile registers can pass 100 %.
    /// </summary>
    public double? TileGflops { get; private init; }

    private const int MultiplyAddRepeats = 9;
    private const int TriadRepeats = 5;

    // All three arrays. Measured on a Xeon with 300 MB of cache, one thread, streamed: 29 GB/s at 192 MB, 21 at 384, 20 at 768.
    private const long LeastTriadBytes = 96 << 20;
    private const double TriadBytesPerCacheByte = 1.5;
    private const int LargestShareOfMemory = 8; // one eighth

    /// <summary>Measures now.</summary>
    /// <param name="threads">Threads to use; 0 takes one for every core.</param>
    /// <exception cref="DeviceException">Not enough memory for the three arrays of the triad: 96 MB or 1.5 times the cache.</exception>
    public static MachineLimits Measure(int threads = 0)
    {
        using var team = new ThreadTeam(threads);
        return Measure(team);
    }

    /// <summary>The rate of multiply-adds alone, GFLOP/s, in about 20 ms: for figures that are to be held against one moment.</summary>
    /// <param name="threads">Threads to use; 0 takes one for every core.</param>
    public static double MeasureMultiplyAdds(int threads = 0)
    {
        using var team = new ThreadTeam(threads);
        return MeasureMultiplyAdds(team, MultiplyAddRepeats);
    }

    /// <summary>The same with the threads of a team, the median of so many repeats of about 1.6 ms.</summary>
    internal static unsafe double MeasureMultiplyAdds(ThreadTeam team, int repeats)
    {
        float* sink = stackalloc float[team.Size * MultiplyAddWork<Lanes128>.PartsPerThread];
        return CpuKernels.Widest switch
        {
            0 => MultiplyAdds<Lanes512>(team, sink, repeats),
            1 => MultiplyAdds<Lanes256>(team, sink, repeats),
            _ => MultiplyAdds<Lanes128>(team, sink, repeats),
        };
    }

    /// <inheritdoc cref="Measure(int)"/>
    internal static MachineLimits Measure(ThreadTeam team) => Measure(team, TriadFloats());

    /// <summary>The same with arrays of another length, so that what a cache gives can be seen.</summary>
    internal static unsafe MachineLimits Measure(ThreadTeam team, int triadFloats)
    {
        if (!NativePages.TryAllocate(3L * triadFloats * sizeof(float), out void* memory))
            throw new DeviceException(CpuDevice.DeviceName, "there is no memory left to measure the machine's limits", "Free memory");
        try
        {
            return CpuKernels.Widest switch
            {
                0 => Measure<Lanes512>(team, (float*)memory, triadFloats),
                1 => Measure<Lanes256>(team, (float*)memory, triadFloats),
                _ => Measure<Lanes128>(team, (float*)memory, triadFloats),
            };
        }
        finally
        {
            NativePages.Free(memory);
        }
    }

    private static unsafe MachineLimits Measure<TSimd>(ThreadTeam team, float* memory, int floats)
        where TSimd : unmanaged, ISimd<TSimd>
    {
        double gflops = MultiplyAdds<TSimd>(team, memory, MultiplyAddRepeats);
        var plain = new TriadWork<TSimd>(memory, floats, streams: false);
        var streamed = new TriadWork<TSimd>(memory, floats, streams: true);
        double plainSeconds = MedianSeconds(team, plain, plain.Parts, TriadRepeats);
        double streamedSeconds = MedianSeconds(team, streamed, streamed.Parts, TriadRepeats);

        double triadBytes = 3.0 * floats * sizeof(float);
        return new MachineLimits(team.Size, TSimd.Width * 8 * sizeof(float), gflops, triadBytes / plainSeconds / 1e9, triadBytes / streamedSeconds / 1e9)
        {
            TileGflops = AmxCode.Missing is null ? TileProducts(team, memory) : null,
        };
    }

    private static unsafe double TileProducts(ThreadTeam team, float* memory)
    {
        int parts = TileWork.PartsPerThread * team.Size;
        NativePages.Clear(memory, TileWork.Bytes * team.Size);
        return parts * TileWork.FlopsPerPart / MedianSeconds(team, new TileWork(memory), parts, MultiplyAddRepeats) / 1e9;
    }

    private static unsafe double MultiplyAdds<TSimd>(ThreadTeam team, float* sink, int repeats)
        where TSimd : unmanaged, ISimd<TSimd>
    {
        int parts = MultiplyAddWork<TSimd>.PartsPerThread * team.Size;
        double seconds = MedianSeconds(team, new MultiplyAddWork<TSimd>(sink), parts, repeats);
        return parts * MultiplyAddWork<TSimd>.FlopsPerPart / seconds / 1e9;
    }

    private static double MedianSeconds<TWork>(ThreadTeam team, TWork work, int parts, int repeats)
        where TWork : unmanaged, IWork
    {
        // Once for compilation, sleeping threads and the clock, which drops or climbs when wide registers come into use.
        team.Run(work, parts);
        Span<double> seconds = stackalloc double[repeats];
        foreach (ref double second in seconds)
        {
            long start = Stopwatch.GetTimestamp();
            team.Run(work, parts);
            second = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        seconds.Sort();
        return seconds[repeats / 2];
    }

    /// <summary>Length of one array: a multiple of 1024, so that every array begins aligned for the widest register.</summary>
    private static int TriadFloats()
    {
        long bytes = Math.Max(LeastTriadBytes, (long)(TriadBytesPerCacheByte * ProcessorCaches.LastLevelBytes));
        bytes = Math.Min(bytes, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / LargestShareOfMemory);
        return (int)Math.Min(bytes / 3 / sizeof(float), int.MaxValue) / 1024 * 1024;
    }
}
