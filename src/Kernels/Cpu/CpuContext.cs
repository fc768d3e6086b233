using System.Runtime.InteropServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// What the kernels of one device share: the thread team and scratch memory that grows when shapes grow. A dry context plans:
/// it counts the scratch that kernels ask for, hands out null pointers, and its team runs no part. So kernels touch memory
/// only in the parts that they give to the team.
/// </summary>
internal sealed unsafe class CpuContext : IDisposable
{
    private readonly Action<long> noteScratch;
    private readonly bool isDry;
    private readonly float** perWorker;
    private readonly float** shared;
    private long perWorkerFloats;
    private long sharedFloats;

    /// <param name="threads">Threads; 0 takes one for every core.</param>
    /// <param name="noteScratch">Told by how many bytes the scratch has grown, or shrunk where negative.</param>
    /// <param name="isDry">True for planning.</param>
    public CpuContext(int threads, Action<long> noteScratch, bool isDry = false)
    {
        (this.noteScratch, this.isDry) = (noteScratch, isDry);
        Team = new ThreadTeam(threads, isDry);
        perWorker = (float**)NativeMemory.AllocZeroed((nuint)Team.Size + 1, (nuint)sizeof(float*));
        shared = perWorker + Team.Size;
    }

    public ThreadTeam Team { get; }

    /// <summary>Told what operations move; null, the default, for nobody.</summary>
    public IOperationObserver? TrafficObserver { get; set; }

    /// <summary>Bytes that a core's own cache keeps, for that model.</summary>
    public long CacheBytes { get; init; } = ProcessorCaches.SecondLevelBytes;

    /// <summary>One pointer a worker to memory of its own, at least <paramref name="floats"/> long. Valid until the next call.</summary>
    public float** PerWorker(long floats)
    {
        if (floats > perWorkerFloats) Grow(perWorker, Team.Size, ref perWorkerFloats, floats);
        return perWorker;
    }

    /// <summary>Memory that an operation's parts share, at least <paramref name="floats"/> long. Valid until the next call.</summary>
    public float* Shared(long floats)
    {
        if (floats > sharedFloats) Grow(shared, 1, ref sharedFloats, floats);
        return *shared;
    }

    /// <summary>Tells of an operation that passes over its memory once.</summary>
    /// <param name="read">Floats that are only read.</param>
    /// <param name="written">Floats that are written, whether read before or not.</param>
    public void NoteTraffic(long read, long written)
    {
        if (TrafficObserver is null) return;
        var traffic = new Traffic(CacheBytes);
        traffic.Read(read);
        traffic.Write(written);
        Note(traffic);
    }

    /// <summary>Tells of what an operation moves; for those that count it while somebody wants it.</summary>
    public void Note(in Traffic traffic) => TrafficObserver?.OnTraffic(traffic.Bytes);

    public void Dispose()
    {
        Team.Dispose();
        for (int i = 0; i <= Team.Size; i++) NativePages.Free(perWorker[i]);
        NativeMemory.Free(perWorker);
    }

    /// <summary>Gives the old areas back before it takes new ones, so that both never exist together.</summary>
    private void Grow(float** areas, int count, ref long held, long floats)
    {
        for (int i = 0; i < count; i++)
        {
            NativePages.Free(areas[i]);
            areas[i] = null;
        }

        if (held > 0) noteScratch(-count * Bytes(held));
        held = 0;
        for (int i = 0; i < count && !isDry; i++)
        {
            if (!NativePages.TryAllocate(checked(floats * sizeof(float)), out void* pages))
                throw new DeviceException(CpuDevice.DeviceName, $"{floats} floats of scratch are more than this machine has memory for", "Free memory");
            areas[i] = (float*)pages;
        }

        held = floats;
        noteScratch(count * Bytes(held));
    }

    private static long Bytes(long floats) => NativePages.SizeOf(checked(floats * sizeof(float)));
}
