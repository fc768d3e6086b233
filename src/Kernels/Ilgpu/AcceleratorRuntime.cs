using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>
/// ILGPU's context and accelerator of one kind, with what was compiled for it. A process has one of each kind, made when first
/// asked for and kept to the end: compiling kernels costs far more than a device lives for in a test.
/// </summary>
internal sealed class AcceleratorRuntime
{
    // Two warps of 32 as one processor: the CPU accelerator starts a thread of the system for each, and more gain nothing.
    private const int CpuWarpSize = 32;
    private const int CpuWarps = 2;

    private static readonly Lock Sync = new();
    private static readonly Dictionary<AcceleratorKind, AcceleratorRuntime> Open = [];

    private readonly Dictionary<Type, object> libraries = [];

    private AcceleratorRuntime(AcceleratorKind kind, Context context, Accelerator accelerator)
    {
        Kind = kind;
        Context = context;
        Accelerator = accelerator;
    }

    public AcceleratorKind Kind { get; }

    public Context Context { get; }

    public Accelerator Accelerator { get; }

    /// <summary>Threads of a multiprocessor that the hardware runs in step; 1 means that groups should stay small.</summary>
    public int WarpSize => Accelerator.WarpSize;

    /// <summary>Name, memory and, for CUDA, compute capability.</summary>
    public string Description => Accelerator is CudaAccelerator cuda
        ? $"{Accelerator.Name}, {Accelerator.MemorySize >> 20} MiB, compute capability {cuda.Architecture.Major}.{cuda.Architecture.Minor}"
        : $"{Accelerator.Name}, {(Kind == AcceleratorKind.Cpu ? HostMemory : Accelerator.MemorySize) >> 20} MiB";

    /// <summary>Bytes of memory of the machine; ILGPU's CPU accelerator names no limit of its own.</summary>
    public static long HostMemory => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>The process's runtime of a kind.</summary>
    /// <exception cref="DeviceException">This machine has none; the message says why.</exception>
    public static AcceleratorRuntime Get(AcceleratorKind kind, string deviceName)
    {
        lock (Sync)
        {
            if (Open.TryGetValue(kind, out var runtime)) return runtime;
            runtime = Create(kind, deviceName);
            Open.Add(kind, runtime);
            return runtime;
        }
    }

    /// <summary>One object of a type per runtime, made when first asked for: compiled kernels of a device.</summary>
    public T Library<T>(Func<AcceleratorRuntime, T> create)
        where T : class
    {
        lock (libraries)
        {
            if (!libraries.TryGetValue(typeof(T), out object? library)) libraries.Add(typeof(T), library = create(this));
            return (T)library;
        }
    }

    private static AcceleratorRuntime Create(AcceleratorKind kind, string deviceName)
    {
        DriverLibraries.Install();
        if (CudaLibrary(kind, out string problem) is { } library) problem = DriverLibraries.UseCuda(library) ?? "";
        if (problem.Length > 0) throw IlgpuDevices.Absent(deviceName, problem);
        Context? context = null;
        try
        {
            context = Context.Create(builder => Configure(builder, kind));
            var device = context.Devices.FirstOrDefault(device => device.AcceleratorType == TypeOf(kind))
                ?? throw IlgpuDevices.Absent(deviceName, "ILGPU finds no such device");
            return new AcceleratorRuntime(kind, context, device.CreateAccelerator(context));
        }
        catch (Exception e) when (e is not DeviceException)
        {
            context?.Dispose();
            throw IlgpuDevices.Absent(deviceName, $"ILGPU cannot open it: {e.GetBaseException().Message}");
        }
    }

    private static string? CudaLibrary(AcceleratorKind kind, out string problem)
    {
        problem = "";
        if (kind == AcceleratorKind.CudaSim)
        {
            string? standIn = DriverLibraries.FindStandIn(out string reason);
            if (standIn is null) problem = reason;
            return standIn;
        }

        return kind == AcceleratorKind.Cuda ? DriverLibraries.CudaDriver : null;
    }

    private static void Configure(Context.Builder builder, AcceleratorKind kind)
    {
        // O2 alone resolves address spaces to global and shared; below it every access goes through generic addresses.
        builder.Optimize(OptimizationLevel.O2).EnableAlgorithms();
        switch (kind)
        {
            case AcceleratorKind.Cpu: builder.CPU(new CPUDevice(CpuWarpSize, CpuWarps, 1)); break;
            case AcceleratorKind.OpenCL: builder.OpenCL(); break;
            default: builder.Cuda(); break;
        }
    }

    private static AcceleratorType TypeOf(AcceleratorKind kind) => kind switch
    {
        AcceleratorKind.Cpu => AcceleratorType.CPU,
        AcceleratorKind.OpenCL => AcceleratorType.OpenCL,
        _ => AcceleratorType.Cuda,
    };
}
