using System.Runtime.InteropServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>Aligned, zeroed native memory.</summary>
internal static unsafe partial class NativePages
{
    private const int CacheLine = 64;
    private const int HugePage = 2 << 20;
    private const int AdviseHugePages = 14; // MADV_HUGEPAGE

    /// <summary>Bytes from which on memory has huge pages of its own.</summary>
    public const long LeastHuge = 2 * HugePage;

    /// <summary>Bytes that <see cref="TryAllocate"/> takes: whole cache lines, whole huge pages where they may be used.</summary>
    public static long SizeOf(long bytes)
    {
        long alignment = Alignment(bytes);
        return (Math.Max(bytes, 1) + alignment - 1) & ~(alignment - 1);
    }

    /// <summary>At least one cache line of zeros; false where the machine has not that much memory.</summary>
    public static bool TryAllocate(long bytes, out void* memory)
    {
        if (!TryReserve(bytes, out memory)) return false;
        Clear(memory, bytes);
        return true;
    }

    /// <summary>The same, untouched: pages that nobody writes to need not exist.</summary>
    public static bool TryReserve(long bytes, out void* memory)
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
        return true;
    }

    /// <summary>Writes zeros to all that <see cref="TryAllocate"/> takes for so many bytes.</summary>
    public static void Clear(void* memory, long bytes) => NativeMemory.Clear(memory, (nuint)SizeOf(bytes));

    public static void Free(void* memory) => NativeMemory.AlignedFree(memory);

    private static int Alignment(long bytes) => bytes >= LeastHuge ? HugePage : CacheLine;

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint length, int advice);
}
