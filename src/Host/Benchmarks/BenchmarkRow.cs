using System.Text.Json;
using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>One measured operation; a line of JSON says by itself what was measured, on what, and by which program.</summary>
internal sealed record BenchmarkRow
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Name of the benchmark.</summary>
    public required string Op { get; init; }

    /// <summary>Dimensions by name.</summary>
    public required IReadOnlyDictionary<string, int> Shape { get; init; }

    /// <summary><c>matmul=avx512</c>, or empty.</summary>
    public required string Variant { get; init; }

    /// <summary>Number format of activations.</summary>
    public required string Dtype { get; init; }

    /// <summary>The device's name; what it is made of stands in <see cref="DeviceDescription"/>.</summary>
    public required string Device { get; init; }

    public required string DeviceDescription { get; init; }

    public required int Threads { get; init; }

    public required Timing Seconds { get; init; }

    /// <summary>FLOPs of one call, as the operation states them.</summary>
    public required double Flops { get; init; }

    /// <summary>Bytes of one call that must cross the memory bus at least.</summary>
    public required double Bytes { get; init; }

    /// <summary>GFLOP/s at the median.</summary>
    public double Gflops => Flops / Seconds.Median / 1e9;

    /// <summary>GB/s at the median.</summary>
    public double GigabytesPerSecond => Bytes / Seconds.Median / 1e9;

    /// <summary>The machine's multiply-add peak around this row, the mean of <see cref="PeakBefore"/> and <see cref="PeakAfter"/>, or null for a device without one.</summary>
    public double? LimitGflops { get; init; }

    /// <summary>Multiply-adds right before the samples, GFLOP/s.</summary>
    public double? PeakBefore { get; init; }

    /// <summary>Multiply-adds right after them.</summary>
    public double? PeakAfter { get; init; }

    /// <summary>The machine's triad at the start of the run.</summary>
    public double? LimitGigabytesPerSecond { get; init; }

    /// <summary>Least time that the limits allow over the median; over 1 where operands stay in a cache.</summary>
    public double? ShareOfLimit { get; init; }

    /// <summary><c>compute</c> or <c>memory</c>: which limit counts.</summary>
    public string? Bound { get; init; }

    /// <summary>Bytes that the operands, and what the device keeps beside them, take.</summary>
    public required long PeakBytes { get; init; }

    /// <summary>How the result was proven before it was timed.</summary>
    public required string Proof { get; init; }

    public required string Machine { get; init; }

    public required string Versions { get; init; }

    public required string Commit { get; init; }

    /// <param name="kernel">What was timed.</param>
    /// <param name="timing">Its time.</param>
    /// <param name="limits">Of the device, at the start of the run, or null.</param>
    /// <param name="peak">Its multiply-adds around the timing, which take the place of those at the start, or null.</param>
    /// <param name="threads">Threads of the device.</param>
    public static BenchmarkRow Of(PreparedKernel kernel, Timing timing, DeviceLimits? limits, NeighbouringPeak? peak, int threads)
    {
        var cost = kernel.Cost;
        if (limits is not null && peak is not null) limits = limits with { Gflops = peak.Mean };
        return new BenchmarkRow
        {
            Op = kernel.Benchmark.Name,
            Shape = kernel.Benchmark.Dimensions.Select((d, i) => (d.Name, Length: kernel.Shape[i])).ToDictionary(d => d.Name, d => d.Length),
            Variant = kernel.Variant,
            Dtype = kernel.Device.FormatOf(BufferKind.Compute).ToString().ToLowerInvariant(), // as PyTorch names it
            Device = kernel.Device.Name,
            DeviceDescription = kernel.Device.Description,
            Threads = threads,
            Seconds = timing,
            Flops = cost.Flops,
            Bytes = cost.Bytes,
            LimitGflops = limits?.Gflops,
            PeakBefore = peak?.Before,
            PeakAfter = peak?.After,
            LimitGigabytesPerSecond = limits?.GigabytesPerSecond,
            ShareOfLimit = limits?.LeastSeconds(cost) / timing.Median,
            Bound = limits is null ? null : limits.IsComputeBound(cost) ? "compute" : "memory",
            PeakBytes = kernel.Device.AllocatedBytes,
            Proof = kernel.Proof,
            Machine = RunEnvironment.Machine,
            Versions = RunEnvironment.Versions,
            Commit = RunEnvironment.Commit,
        };
    }

    public string ToJson() => JsonSerializer.Serialize(this, Json);
}
