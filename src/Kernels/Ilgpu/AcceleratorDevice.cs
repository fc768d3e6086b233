using ILGPU.Runtime;
using RepNoise.Kernels.Cuda;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>
/// Memory, transfers and waiting on an ILGPU accelerator: what devices whose kernels run there share, however their kernels
/// are written. Operations go to one stream and return at once; only downloads and <see cref="Synchronize"/> wait.
/// </summary>
public abstract partial class AcceleratorDevice : Device
{
    private readonly HostStaging staging;
    private bool isDisposed;

    private protected AcceleratorDevice(AcceleratorRuntime runtime)
    {
        Runtime = runtime;
        Stream = runtime.Accelerator.CreateStream();
        staging = new HostStaging(runtime.Accelerator, Stream);
        if (runtime.Kind is AcceleratorKind.Cuda or AcceleratorKind.CudaSim) Tracer = NvtxRanges.Create();
    }

    internal AcceleratorRuntime Runtime { get; }

    /// <summary>How often the host has waited for this device: once for a download or <see cref="Synchronize"/>.</summary>
    public long Synchronizations => staging.Waits;

    /// <summary>Where every copy and kernel of this device is queued.</summary>
    internal AcceleratorStream Stream { get; }

    /// <summary>What the device knows of a failure that shows only now: what was queued last; empty for nothing.</summary>
    internal virtual string Situation => "";

    /// <summary>Something comes that is no kernel: a device that captures its stream submits what it has, and captures no more.</summary>
    internal virtual void InterruptCapture()
    {
    }

    public override void Synchronize()
    {
        InterruptCapture();
        try
        {
            staging.Wait();
        }
        catch (AcceleratorException e)
        {
            throw Failed(e);
        }
    }

    protected override DeviceBuffer AllocateCore(BufferKind kind, long length, string category)
    {
        InterruptCapture();
        return new AcceleratorBuffer(this, kind, length, category);
    }

    protected override void Dispose(bool disposing)
    {
        if (isDisposed) return;
        isDisposed = true;
        InterruptCapture();
        staging.Dispose();
        Stream.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>The driver's own words, which name the failing kernel where the driver knows it.</summary>
    private DeviceException Failed(AcceleratorException e) =>
        new(Name, $"an operation failed: {DriverErrors.Describe(e)}{(Situation.Length > 0 ? $" ({Situation})" : "")}", "Run again on device cpu to tell a fault of the device from one of the data");
}
