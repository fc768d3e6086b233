namespace RepNoise.Kernels;

/// <summary>What a buffer is for; the device decides the number format it stores (see <see cref="Device.FormatOf"/>).</summary>
public enum BufferKind
{
    /// <summary>Activations and the weights that matrix products read: the device's compute format.</summary>
    Compute,

    /// <summary>Master weights, gradients, optimizer moments, statistics and tables: at least fp32.</summary>
    State,

    /// <summary>Loss accumulators and a few factors: fp64 wherever the device has it.</summary>
    Scalar,

    /// <summary>int32 row numbers, token ids and positions.</summary>
    Index,
}

/// <summary>Number formats that a device may store.</summary>
public enum NumberFormat
{
    Float64,
    Float32,
    BFloat16,
    Int32,
}

/// <summary>
/// Memory of one device, zero when allocated. Owned by whoever allocated it; disposing twice is harmless, using it after
/// disposal is an error of the caller that devices need not detect.
/// </summary>
public abstract class DeviceBuffer : IDisposable
{
    protected DeviceBuffer(Device device, BufferKind kind, long length, string category)
    {
        Device = device;
        Kind = kind;
        Length = length;
        Category = category;
    }

    public Device Device { get; }

    public BufferKind Kind { get; }

    /// <summary>Number of elements.</summary>
    public long Length { get; }

    /// <summary>What the memory holds, as the memory plan names it: <c>weights</c>, <c>activations</c>, ...</summary>
    public string Category { get; }

    /// <summary>Size in bytes, without what the allocator adds.</summary>
    public long Bytes => Length * Device.FormatOf(Kind).Size();

    /// <summary>What its device keeps for it, and releases with it; null where there is nothing.</summary>
    internal IDisposable? Companion { get; set; }

    public void Dispose()
    {
        Companion?.Dispose();
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}

public static class NumberFormats
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this NumberFormat format) => format switch
    {
        NumberFormat.Float64 => 8,
        NumberFormat.BFloat16 => 2,
        _ => 4,
    };
}
