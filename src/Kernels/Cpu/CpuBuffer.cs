using System.Runtime.InteropServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Native memory of the CPU device: aligned to a cache line, large buffers to a huge page and backed by huge pages where Linux
/// has them, zeroed and thereby touched here so that no later operation meets a page fault. There is no finalizer: kernels
/// hold plain addresses, which the garbage collector does not see.
/// </summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private void* memory;

    public CpuBuffer(Device device, BufferKind kind, long length, string category)
        : base(device, kind, length, category)
    {
        // Before Bytes, whose product would overflow.
        if (length > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes || !NativePages.TryAllocate(Bytes, out memory)) ThrowTooMuch();
    }

    /// <summary>The first element.</summary>
    public void* Memory => memory;

    private void ThrowTooMuch() => throw new DeviceException(
        Device.Name, $"{Length} elements are asked for {Category}, more than this machine has memory for",
        "Use a smaller model or batch, or free memory");

    protected override void Dispose(bool disposing)
    {
        if (memory is null) return;
        NativePages.Free(memory);
        memory = null;
        Device.NoteReleased(this);
    }
}

/// <summary>Aligned, zeroed native memory.</summary>
internal static unsafe partial class NativePages
{
    private const int CacheLine = 64;
    private const int HugePage = 2 << 20;
    private const int AdviseHugePages = 14; // MADV_HUGEPAGE

    /// <summary>Bytes that <see cref="TryAllocate"/> takes: whole cache lines, whole huge pages where they may be used.</summary>
    public static long SizeOf(long bytes)
    {
        long alignment = Alignment(bytes);
        return (Math.Max(bytes, 1) + alignment - 1) & ~(alignment - 1);
    }

    /// <summary>At least one cache line of zeros; false where the machine has not that much memory.</summary>
    public static bool TryAllocate(long bytes, out void* memory)
    {
        memory = null;
        if (bytes > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes) return false;
        bool large = Alignment(bytes) == HugePage;
        nuint size = (nuint)SizeOf(bytes);
        try
        {
            memory = NativeMemory.AlignedAlloc(size, (nuint)Alignment(bytes));
        }
        catch (OutOfMemoryException)
        {
            return false;
        }

        if (large && OperatingSystem.IsLinux()) _ = Advise(memory, size, AdviseHugePages); // a wish: ordinary pages do as well
        NativeMemory.Clear(memory, size);
        return true;
    }

    public static void Free(void* memory) => NativeMemory.AlignedFree(memory);

    private static int Alignment(long bytes) => bytes >= 2 * HugePage ? HugePage : CacheLine;

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint length, int advice);
}
