namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Native memory of the CPU device: aligned to a cache line, large buffers to a huge page, in huge pages where Linux has them (see
/// <see cref="HugeSlabs"/> for those of middle size), zeroed and thereby touched here so that no later operation meets a page fault. There is no finalizer: kernels
/// hold plain addresses, which the garbage collector does not see.
/// </summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private void* memory;

    public CpuBuffer(Device device, BufferKind kind, long length, string category)
        : base(device, kind, length, category)
    {
        // Before Bytes, whose product would overflow.
        if (length > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes || !TryAllocate()) ThrowTooMuch();
    }

    /// <summary>The first element.</summary>
    public void* Memory => memory;

    private bool TryAllocate() =>
        HugeSlabs.Suits(Bytes) ? HugeSlabs.Shared.TryAllocate(Bytes, out memory) : NativePages.TryAllocate(Bytes, out memory);

    private void ThrowTooMuch() => throw new DeviceException(
        Device.Name, $"{Length} elements are asked for {Category}, more than this machine has memory for",
        "Use a smaller model or batch, or free memory");

    protected override void Dispose(bool disposing)
    {
        if (memory is null) return;
        if (HugeSlabs.Suits(Bytes)) HugeSlabs.Shared.Free(memory);
        else NativePages.Free(memory);
        memory = null;
        Device.NoteReleased(this);
    }
}
