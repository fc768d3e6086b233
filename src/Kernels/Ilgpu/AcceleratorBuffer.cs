using ILGPU;
using ILGPU.Runtime;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>
/// Memory of an accelerator. Float32 values are floats, bfloat16 values 16-bit words, scalars doubles, indices int32; ILGPU's
/// kernels see it as a view, foreign kernels as a device pointer. Index buffers keep a copy on the host, so that row numbers
/// can be checked where an operation is called, without waiting for the device.
/// </summary>
internal sealed class AcceleratorBuffer : DeviceBuffer
{
    private readonly AcceleratorDevice owner;
    private MemoryBuffer1D<byte, Stride1D.Dense>? memory;

    public AcceleratorBuffer(AcceleratorDevice device, BufferKind kind, long length, string category)
        : base(device, kind, length, category)
    {
        owner = device;
        Format = device.FormatOf(kind);
        int size = Format.Size();
        long limit = device.Runtime.Kind == AcceleratorKind.Cpu
            ? AcceleratorRuntime.HostMemory
            : device.Runtime.Accelerator.MemorySize;
        string asked = $"{length} elements are asked for {category}";
        if (length > limit / size) throw DriverErrors.TooMuch(device.Name, asked);
        try
        {
            // No driver gives out zero bytes.
            memory = device.Runtime.Accelerator.Allocate1D<byte>(Math.Max(1, length) * size);
            memory.View.MemSetToZero(device.Stream);
        }
        catch (Exception e) when (e is AcceleratorException or OutOfMemoryException)
        {
            memory?.Dispose();
            throw DriverErrors.OfAllocation(device.Name, e, asked, device.Situation);
        }

        HostIndices = kind == BufferKind.Index ? new int[length] : [];
    }

    /// <summary>Number format of the elements.</summary>
    public NumberFormat Format { get; }

    /// <summary>What was last uploaded to an index buffer.</summary>
    public int[] HostIndices { get; }

    /// <summary>Address of the first element in the device's memory; only CUDA's and the CPU's mean anything outside ILGPU.</summary>
    public nint Pointer => Memory.NativePtr;

    private MemoryBuffer1D<byte, Stride1D.Dense> Memory => memory ?? throw new ObjectDisposedException(nameof(AcceleratorBuffer));

    /// <summary>The whole buffer as elements of its format.</summary>
    public ArrayView<T> View<T>()
        where T : unmanaged => Memory.View.BaseView.Cast<T>();

    /// <summary>Elements of the buffer as bytes, for copies.</summary>
    public ArrayView<byte> Range(long offset, long count) => Memory.View.BaseView.SubView(offset * Format.Size(), count * Format.Size());

    protected override void Dispose(bool disposing)
    {
        if (memory is null) return;
        owner.InterruptCapture();
        memory.Dispose();
        memory = null;
        Device.NoteReleased(this);
    }
}
