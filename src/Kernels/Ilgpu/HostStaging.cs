using ILGPU;
using ILGPU.Runtime;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>
/// Pinned host memory through which values travel, so that uploads need not wait: each takes the next stretch, and only when
/// the end is reached does the host wait for the copies under way. Whenever the host has waited, for a download say, all of it is free
/// again: a step whose uploads fit waits no more often than it downloads.
/// </summary>
internal sealed class HostStaging(Accelerator accelerator, AcceleratorStream stream) : IDisposable
{
    /// <summary>Room for a batch's indices many times over, and enough for a copy of weights to run at the bus's speed.</summary>
    public const int Bytes = 8 << 20;

    private const int Alignment = 256;

    /// <summary>How often <see cref="Wait"/> was called.</summary>
    public long Waits { get; private set; }

    private readonly PageLockedArray1D<byte> memory = accelerator.AllocatePageLocked1D<byte>(Bytes);
    private int next;

    /// <summary>Room for an upload; waits for earlier ones where there is none left.</summary>
    /// <param name="count">At most <see cref="Bytes"/>.</param>
    public Span<byte> Reserve(int count)
    {
        if (count > Bytes - next) Wait();
        return memory.Span.Slice(next, count);
    }

    /// <summary>Copies what was written to the reserved room into device memory, in stream order, without waiting.</summary>
    public void Send(ArrayView<byte> target)
    {
        // Not a copy from a part of the array's view: over OpenCL, ILGPU copies as many bytes as the buffer behind a view has.
        target.CopyFromCPUUnsafeAsync(stream, ref memory[next], target.Length);
        next = Math.Min(Bytes, (next + (int)target.Length + Alignment - 1) / Alignment * Alignment);
    }

    /// <summary>Device memory on the host, after everything before it in the stream; valid until the next call.</summary>
    public ReadOnlySpan<byte> Receive(ArrayView<byte> source)
    {
        if (source.Length > Bytes - next) Wait();
        int start = next;
        source.CopyToCPUUnsafeAsync(stream, ref memory[start], source.Length);
        Wait();
        return memory.Span.Slice(start, (int)source.Length);
    }

    public void Dispose() => memory.Dispose();

    /// <summary>Waits for everything in the stream.</summary>
    public void Wait()
    {
        stream.Synchronize();
        Waits++;
        next = 0;
    }
}
