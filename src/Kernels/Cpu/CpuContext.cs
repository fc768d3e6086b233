using System.Runtime.InteropServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>What the kernels of one device share: the thread team and scratch memory that grows when shapes grow.</summary>
internal sealed unsafe class CpuContext : IDisposable
{
    private readonly float** perWorker;
    private long perWorkerFloats;
    private float* shared;
    private long sharedFloats;

    public CpuContext(int threads)
    {
        Team = new ThreadTeam(threads);
        perWorker = (float**)NativeMemory.AllocZeroed((nuint)Team.Size, (nuint)sizeof(float*));
    }

    public ThreadTeam Team { get; }

    /// <summary>One pointer a worker to memory of its own, at least <paramref name="floats"/> long. Valid until the next call.</summary>
    public float** PerWorker(long floats)
    {
        if (floats <= perWorkerFloats) return perWorker;
        perWorkerFloats = 0;
        for (int worker = 0; worker < Team.Size; worker++) Replace(ref perWorker[worker], floats);
        perWorkerFloats = floats;
        return perWorker;
    }

    /// <summary>Memory that an operation's parts share, at least <paramref name="floats"/> long. Valid until the next call.</summary>
    public float* Shared(long floats)
    {
        if (floats <= sharedFloats) return shared;
        sharedFloats = 0;
        Replace(ref shared, floats);
        sharedFloats = floats;
        return shared;
    }

    public void Dispose()
    {
        Team.Dispose();
        for (int worker = 0; worker < Team.Size; worker++) NativePages.Free(perWorker[worker]);
        NativeMemory.Free(perWorker);
        NativePages.Free(shared);
    }

    private static void Replace(ref float* memory, long floats)
    {
        NativePages.Free(memory);
        memory = null;
        if (!NativePages.TryAllocate(checked(floats * sizeof(float)), out void* pages))
            throw new DeviceException(CpuDevice.DeviceName, $"{floats} floats of scratch are more than this machine has memory for", "Free memory");
        memory = (float*)pages;
    }
}
