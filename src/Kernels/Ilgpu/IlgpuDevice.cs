using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>
/// Every operation as kernels in C#, which ILGPU compiles for its CPU accelerator, OpenCL or CUDA. Compute and state are
/// float32, scalars float64. Operations are queued on one stream and return at once; each has a fixed order of additions, so
/// results repeat to the bit. The kernels themselves are in <c>Code/</c>; here is how they are launched.
/// </summary>
public sealed partial class IlgpuDevice : AcceleratorDevice
{
    private const int GpuThreads = 256;

    /// <summary>Each is a thread of the system, and barriers among them are dear: the fewest that reductions can work with.</summary>
    private const int CpuThreads = 16;

    /// <summary>Groups of a grid that strides; enough to fill a large GPU many times over.</summary>
    private const int GpuGroups = 1 << 14;

    /// <summary>Each group starts threads of the system on the CPU accelerator: few of them, with more work each.</summary>
    private const int CpuGroups = 4;

    /// <summary>Largest extent of a grid in its second dimension, in CUDA.</summary>
    private const int MaxGridRows = 65535;

    /// <summary>Groups of the first stage of a sum; their results are the second stage's input.</summary>
    private const int SumGroups = 1024;

    private readonly IlgpuKernels kernels;
    private readonly MemoryBuffer1D<double, Stride1D.Dense> sums;
    private readonly MemoryBuffer1D<float, Stride1D.Dense> columnSums;
    private readonly MemoryBuffer1D<float, Stride1D.Dense> splitProducts;
    private readonly string? matmulVariant;
    private bool isDisposed;

    internal IlgpuDevice(string name, AcceleratorRuntime runtime, IReadOnlyDictionary<string, string> forced)
        : base(runtime)
    {
        Name = name;
        matmulVariant = MatmulVariant(forced);
        kernels = runtime.Library(owner => new IlgpuKernels(owner));
        try
        {
            sums = runtime.Accelerator.Allocate1D<double>(SumGroups);
            columnSums = runtime.Accelerator.Allocate1D<float>(ColumnSumsLength);
            splitProducts = runtime.Accelerator.Allocate1D<float>(IsCpu ? 1 : SplitLength);
        }
        catch (Exception e) when (e is AcceleratorException or OutOfMemoryException)
        {
            throw DriverErrors.OfAllocation(name, e, "scratch memory is asked for", "");
        }

        ScratchBytes = sums.LengthInBytes + columnSums.LengthInBytes + splitProducts.LengthInBytes;
        NoteScratch(ScratchBytes);
    }

    public override string Name { get; }

    public override string Description => $"{Runtime.Description}, kernels in C#, float32";

    /// <inheritdoc/>
    public override PlanningDevice CreatePlanningDevice() => new IlgpuPlanningDevice(this);

    /// <summary>All that it keeps for its own use, from the start.</summary>
    internal long ScratchBytes { get; }

    private bool IsCpu => Runtime.Kind == AcceleratorKind.Cpu;

    private int Threads => IsCpu ? CpuThreads : GpuThreads;

    private int MaxGroups => IsCpu ? CpuGroups : GpuGroups;

    public override NumberFormat FormatOf(BufferKind kind) => kind switch
    {
        BufferKind.Scalar => NumberFormat.Float64,
        BufferKind.Index => NumberFormat.Int32,
        _ => NumberFormat.Float32,
    };

    protected override void Dispose(bool disposing)
    {
        if (!isDisposed)
        {
            Stream.Synchronize();
            sums.Dispose();
            columnSums.Dispose();
            splitProducts.Dispose();
        }

        isDisposed = true;
        base.Dispose(disposing);
    }

    /// <summary>A compute or state tensor as kernels see it.</summary>
    private static Matrix View(Tensor tensor)
    {
        var buffer = (AcceleratorBuffer)tensor.Buffer;
        Check.That(buffer.Kind is BufferKind.Compute or BufferKind.State, nameof(View), $"a tensor of kind {buffer.Kind}", "float32 values");
        return new Matrix(buffer.View<float>().SubView(tensor.Offset, buffer.Length - tensor.Offset), tensor.Rows, tensor.Columns, tensor.RowStride);
    }

    /// <summary>A scalar tensor as kernels see it.</summary>
    private static ScalarMatrix Scalars(Tensor tensor)
    {
        var buffer = (AcceleratorBuffer)tensor.Buffer;
        Check.That(buffer.Kind == BufferKind.Scalar, nameof(Scalars), $"a tensor of kind {buffer.Kind}", "scalars");
        return new ScalarMatrix(
            buffer.View<double>().SubView(tensor.Offset, buffer.Length - tensor.Offset), tensor.Rows, tensor.Columns, tensor.RowStride);
    }

    private static bool IsScalar(Tensor tensor) => tensor.Buffer.Kind == BufferKind.Scalar;

    /// <summary>Row numbers on the device, each checked on the host to lie below a limit: a wrong one would touch foreign memory.</summary>
    private static ArrayView<int> Numbers(string operation, Indices indices, int limit)
    {
        var buffer = (AcceleratorBuffer)indices.Buffer;
        var values = buffer.HostIndices.AsSpan((int)indices.Offset, indices.Count);
        for (int i = 0; i < values.Length; i++)
        {
            if ((uint)values[i] >= (uint)limit)
                throw new ShapeException(operation, $"row number {i} is {values[i]}", $"0 to {limit - 1}");
        }

        return Numbers(indices);
    }

    private static ArrayView<int> Numbers(Indices indices)
    {
        var buffer = (AcceleratorBuffer)indices.Buffer;
        return buffer.View<int>().SubView(indices.Offset, buffer.Length - indices.Offset);
    }

    /// <summary>A factor on the host, times the device's where there is one.</summary>
    private DeviceFactor Factor(double factor, Tensor deviceFactor) =>
        deviceFactor.IsEmpty ? new DeviceFactor(factor, sums.View, 0) : new DeviceFactor(factor, Scalars(deviceFactor).Data, 1);

    /// <summary>
    /// A grid of (stretches of columns, rows) for kernels that stride over both, as large as the tensor asks for and the
    /// accelerator has use for.
    /// </summary>
    private KernelConfig Elements(int rows, int columns)
    {
        int threads = Math.Min(Threads, (Math.Max(1, columns) + 31) / 32 * 32);
        int across = Math.Clamp((columns + threads - 1) / threads, 1, MaxGroups);
        return Plane(across, Math.Clamp(rows, 1, Math.Min(MaxGridRows, Math.Max(1, MaxGroups / across))), threads);
    }

    private static KernelConfig Plane(int across, int down, int threads) => new(new Index3D(across, down, 1), new Index3D(threads, 1, 1));

    /// <summary>A grid of one group per item, which take turns where there are more than enough.</summary>
    private KernelConfig Groups(long items, int threads) => new((int)Math.Clamp(items, 1, IsCpu ? CpuGroups : int.MaxValue), threads);

    /// <summary>Threads for a reduction over some columns: a multiple of 32, or what the CPU accelerator has.</summary>
    private int ReductionThreads(int columns) => Math.Min((Math.Max(1, columns) + 31) / 32 * 32, Threads);
}

/// <summary>Plans an ILGPU device, all of whose scratch memory is made with it.</summary>
internal sealed class IlgpuPlanningDevice : PlanningDevice
{
    /// <param name="modelled">The device that is planned for.</param>
    public IlgpuPlanningDevice(IlgpuDevice modelled)
        : base(modelled) => NoteScratch(modelled.ScratchBytes);
}
