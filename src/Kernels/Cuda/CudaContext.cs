using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Cuda;

/// <summary>What the kernels of one device share: modules, stream, number format and scratch memory.</summary>
internal sealed unsafe class CudaContext : IDisposable
{
    private const int SharedBytesOfMultiprocessor = 81; // CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
    private const int SharedBytesOfBlock = 97; // CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN

    private readonly Accelerator accelerator;
    private readonly AcceleratorStream stream;
    private readonly nint streamHandle;
    private readonly Action<long> noteScratch;
    private readonly Action wait;
    private MemoryBuffer1D<byte, ILGPU.Stride1D.Dense>? scratch;

    /// <param name="deviceName">Named in errors.</param>
    /// <param name="runtime">The GPU, or its stand-in.</param>
    /// <param name="stream">Where kernels are queued.</param>
    /// <param name="compute">Format of compute buffers.</param>
    /// <param name="noteScratch">Told of bytes of scratch memory taken, negative where given back.</param>
    /// <param name="wait">Waits for what was queued.</param>
    public CudaContext(
        string deviceName, AcceleratorRuntime runtime, AcceleratorStream stream, NumberFormat compute, Action<long> noteScratch, Action wait)
    {
        (this.noteScratch, this.wait) = (noteScratch, wait);
        DeviceName = deviceName;
        Modules = runtime.Library(static r => new CudaModules(r));
        Compute = compute;
        (accelerator, this.stream, streamHandle) = (runtime.Accelerator, stream, ((CudaStream)stream).StreamPtr);
        int device = ((CudaAccelerator)accelerator).DeviceId;
        SharedBytes = (Modules.Driver.DeviceAttribute(SharedBytesOfBlock, device), Modules.Driver.DeviceAttribute(SharedBytesOfMultiprocessor, device));
    }

    public string DeviceName { get; }

    public CudaModules Modules { get; }

    /// <summary>Format of compute buffers.</summary>
    public NumberFormat Compute { get; }

    /// <summary>The device in ILGPU.</summary>
    public Accelerator Accelerator => accelerator;

    /// <summary>Its compute capability.</summary>
    public (int Major, int Minor) Capability => ((CudaAccelerator)accelerator).Architecture is var architecture
        ? (architecture.Major, architecture.Minor)
        : default;

    /// <summary>Multiprocessors of the device.</summary>
    public int Multiprocessors => accelerator.NumMultiprocessors;

    /// <summary>What decides which kernels it can run.</summary>
    public CudaLimits Limits => new(Capability.Major, Capability.Minor, SharedBytes.Block);

    /// <summary>Most dynamic shared memory of a block, and all of a multiprocessor's, in bytes.</summary>
    public (int Block, int Multiprocessor) SharedBytes { get; }

    /// <summary>Ending of the symbols of kernels for compute buffers.</summary>
    public string Suffix => SuffixOf(Compute);

    /// <summary>The operation under way, for errors.</summary>
    public string Operation { get; set; } = "";

    /// <summary>What captures the stream's launches; null where nothing does.</summary>
    public CudaGraphs? Graphs { get; set; }

    /// <summary>Told of every launch; for tests that repeat them with other kernels.</summary>
    public Action<CudaLaunch>? Launched { get; set; }

    /// <summary>Address and bytes of the scratch memory, 0 where there is none.</summary>
    public (nint Address, long Bytes) ScratchMemory => scratch is null ? (0, 0) : (scratch.NativePtr, scratch.Length);

    /// <summary>What was queued last, for errors that show only later.</summary>
    public string LastLaunch { get; private set; } = "nothing";

    public static string SuffixOf(NumberFormat format) => format switch
    {
        NumberFormat.BFloat16 => "bf16",
        NumberFormat.Float64 => "f64",
        _ => "f32",
    };

    /// <summary>Address of a factor on the device, or 0 for none.</summary>
    /// <exception cref="DeviceException">It is no scalar.</exception>
    public nint FactorAddress(Tensor factor)
    {
        if (!factor.IsEmpty && factor.Buffer.Kind != BufferKind.Scalar)
            throw new DeviceException(DeviceName, $"{Operation}: the factor lies in a {factor.Buffer.Kind} buffer", "Keep it in a Scalar buffer");
        return MatrixArgument.Address(factor);
    }

    /// <summary>Device memory that is an operation's own until it returns; its contents are undefined. Grows, and never shrinks.</summary>
    public nint Scratch(long bytes)
    {
        if (scratch is not null && scratch.Length >= bytes) return scratch.NativePtr;
        Graphs?.Interrupt();
        if (scratch is not null)
        {
            wait();
            noteScratch(-scratch.Length);
            scratch.Dispose();
            scratch = null;
        }

        try
        {
            scratch = accelerator.Allocate1D<byte>(bytes);
            noteScratch(bytes);
            // Rows padded to 16 bytes are read whole: what nobody writes must not be garbage.
            scratch.View.MemSetToZero(stream);
        }
        catch (AcceleratorException e)
        {
            throw DriverErrors.OfAllocation(DeviceName, e, $"{Operation} asks for {bytes} bytes of scratch", $"{LastLaunch} was the last kernel");
        }

        return scratch.NativePtr;
    }

    public void Launch(nint function, string symbol, Grid grid, int threads, int sharedBytes, void* arguments, nuint argumentBytes)
    {
        accelerator.Bind();
        LastLaunch = symbol;
        Launched?.Invoke(new CudaLaunch(symbol, grid, threads, sharedBytes, new ReadOnlySpan<byte>(arguments, (int)argumentBytes).ToArray()));
        int status = Modules.Driver.Launch(function, grid, threads, sharedBytes, streamHandle, arguments, argumentBytes);
        Graphs?.NoteLaunch(status);
        if (status != 0) ThrowFailed(symbol, grid, threads, status);
    }

    /// <summary>Waits for what was queued.</summary>
    public void Synchronize() => wait();

    /// <summary>Captures launches from now on.</summary>
    /// <exception cref="DeviceException">The driver cannot.</exception>
    public void CaptureLaunches() =>
        Graphs = new CudaGraphs(DeviceName, Modules.Driver, CudaGraphs.CallsOf(DeviceName, Modules.Driver.Find), streamHandle);

    public void Dispose()
    {
        Graphs?.Dispose();
        scratch?.Dispose();
    }

    private void ThrowFailed(string symbol, Grid grid, int threads, int status) => throw new DeviceException(
        DeviceName,
        $"{Operation}: kernel {symbol}, {grid.X} x {grid.Y} x {grid.Z} blocks of {threads} threads, failed: {Modules.Driver.Describe(status)}",
        "Run again on device cpu to tell a fault of the device from one of the data");
}

/// <summary>A kernel as it was queued.</summary>
/// <param name="Symbol">Its name.</param>
/// <param name="Grid">Blocks.</param>
/// <param name="Threads">Threads of a block.</param>
/// <param name="SharedBytes">Dynamic shared memory of a block.</param>
/// <param name="Arguments">Its parameter block.</param>
internal sealed record CudaLaunch(string Symbol, Grid Grid, int Threads, int SharedBytes, byte[] Arguments);
