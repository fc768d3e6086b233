using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// The default device: this processor, through SIMD registers as wide as it has and a team of threads. Compute and state are
/// float32, scalars float64. Operations are done when they return. Results do not depend on the number of threads; they do
/// depend on the register width, that is, on the kernels that were chosen.
/// </summary>
public sealed unsafe partial class CpuDevice : Device
{
    internal const string DeviceName = "cpu";

    private const int MaxThreads = 1024;

    private readonly DeviceOptions options;
    private readonly CpuContext context;
    private readonly CpuKernels kernels;
    private bool isDisposed;

    /// <param name="options">Threads and forced kernels.</param>
    /// <exception cref="DeviceException">A kernel is forced that does not exist or cannot run here.</exception>
    public CpuDevice(DeviceOptions options)
    {
        if (options.Threads is < 0 or > MaxThreads)
            throw new DeviceException(DeviceName, $"{options.Threads} threads are asked for", $"Use 1 to {MaxThreads}, or 0 for all cores");
        this.options = options;
        context = new CpuContext(options.Threads, NoteScratch);
        try
        {
            kernels = new CpuKernels(context, options.Kernels);
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    private const int LargeVocabulary = 1 << 14;
    private const int BriefRepeats = 3; // 5 ms

    public override string Name => DeviceName;

    /// <summary>Fewer rows take dot products, which add up in another order than tiles do; see <see cref="SmallMatmul{T}"/>.</summary>
    public override int BatchInvariantRows => SmallMatmul<Lanes128>.MaxRows + 1;

    /// <summary>A head that no cache holds passes through memory once a chunk, and its gradient twice: the fewer chunks the better.</summary>
    protected internal override int UsefulLogitsRows(int vocabulary) => vocabulary < LargeVocabulary ? 256 : 512;

    public override string Description => $"{ProcessorName()}, {RegisterBits} bit SIMD, {context.Team.Size} threads, float32";

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Kernels => kernels.Chosen;

    private static int RegisterBits =>
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;

    public override NumberFormat FormatOf(BufferKind kind) => kind switch
    {
        BufferKind.Scalar => NumberFormat.Float64,
        BufferKind.Index => NumberFormat.Int32,
        _ => NumberFormat.Float32,
    };

    public override PlanningDevice CreatePlanningDevice() => new CpuPlanningDevice(this, options);

    /// <inheritdoc/>
    public override MachineLimits MeasureLimits() => MachineLimits.Measure(context.Team);

    /// <inheritdoc/>
    public override double? MeasureMultiplyAdds() => MachineLimits.MeasureMultiplyAdds(context.Team, BriefRepeats);

    protected override DeviceBuffer AllocateCore(BufferKind kind, long length, string category) =>
        new CpuBuffer(this, kind, length, category);

    protected override void ObserverChanged()
    {
        context.Team.Observer = Observer is { WantsWork: true } ? Observer : null;
        context.TrafficObserver = Observer is { WantsTraffic: true } ? Observer : null;
    }

    protected internal override long AllocationSize(long bytes) => NativePages.SizeOf(bytes);

    protected override void Dispose(bool disposing)
    {
        if (!isDisposed) context.Dispose();
        isDisposed = true;
        base.Dispose(disposing);
    }

    /// <summary>The processor's name as Linux knows it, else its architecture.</summary>
    public static string ProcessorName()
    {
        const string Information = "/proc/cpuinfo";
        string? line = File.Exists(Information)
            ? File.ReadLines(Information).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return line?[(line.IndexOf(':') + 1)..].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
