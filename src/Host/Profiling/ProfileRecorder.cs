using System.Diagnostics;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Profiling;

/// <summary>An operation or a stretch of work, as recorded.</summary>
internal struct ProfileEvent
{
    /// <summary>Name of the operation or scope.</summary>
    public string Name;

    /// <summary>Number of the step, micro-batch or layer, or -1.</summary>
    public int Index;

    /// <summary>Number of the event around it, or -1.</summary>
    public int Parent;

    public bool IsOperation;

    /// <summary>What an operation needs at least.</summary>
    public OpCost Cost;

    /// <summary>Timestamps of <see cref="Stopwatch"/>.</summary>
    public long Begin;

    public long End;
}

/// <summary>Memory in use at one moment.</summary>
/// <param name="Time">Timestamp of <see cref="Stopwatch"/>.</param>
/// <param name="DeviceBytes">Bytes of the device's buffers.</param>
/// <param name="ManagedBytes">Bytes of the managed heap.</param>
/// <param name="ResidentBytes">Bytes that the process holds in memory, or 0 where this was not asked at that moment.</param>
internal readonly record struct MemorySample(long Time, long DeviceBytes, long ManagedBytes, long ResidentBytes);

/// <summary>
/// Records every operation and scope of a device with its begin and end, in arrays that are there before. A timestamp follows a
/// synchronisation, so that on devices that run behind the host each operation gets its own time; there, recorded steps are
/// slower than plain ones by what host and device would have done at once.
/// </summary>
internal sealed class ProfileRecorder : IOperationObserver, IDisposable
{
    private const int MaxDepth = 64;

    /// <summary>Step, micro-batch: what ends below them is a phase, and memory is sampled there.</summary>
    private const int PhaseDepth = 2;

    private readonly Device device;
    private readonly PeakMemory memory = new();
    private readonly int[] open = new int[MaxDepth];
    private ProfileEvent[] events;
    private MemorySample[] samples;
    private int count;
    private int sampleCount;
    private int depth;

    /// <param name="device">What is watched between <see cref="Attach"/> and <see cref="Detach"/>.</param>
    /// <param name="capacity">Events to have room for; more make the arrays grow, which costs time where it happens.</param>
    public ProfileRecorder(Device device, int capacity)
    {
        this.device = device;
        events = new ProfileEvent[capacity];
        samples = new MemorySample[capacity];
    }

    /// <summary>In the order of their begins.</summary>
    public ReadOnlySpan<ProfileEvent> Events => events.AsSpan(0, count);

    public ReadOnlySpan<MemorySample> Samples => samples.AsSpan(0, sampleCount);

    public void Attach() => device.Observer = this;

    public void Detach() => device.Observer = null;

    /// <summary>Forgets what was recorded and makes room for <paramref name="capacity"/> events.</summary>
    public void Clear(int capacity)
    {
        (count, sampleCount, depth) = (0, 0, 0);
        if (events.Length >= capacity) return;
        events = new ProfileEvent[capacity];
        samples = new MemorySample[capacity];

        // Memory that is touched first while a step runs would cost page faults there.
        Array.Fill(events, default);
        Array.Fill(samples, default);
    }

    /// <inheritdoc/>
    public void BeginOperation(string operation, OpCost cost) => Begin(operation, -1, cost, isOperation: true);

    /// <inheritdoc/>
    public void BeginScope(string name, int index)
    {
        if (depth == 0) Sample(Stopwatch.GetTimestamp(), memory.ReadResident());
        Begin(name, index, default, isOperation: false);
    }

    /// <inheritdoc/>
    public void End()
    {
        device.Synchronize();
        long now = Stopwatch.GetTimestamp();
        depth--;
        ref var ended = ref events[open[depth]];
        ended.End = now;
        if (depth <= PhaseDepth && !ended.IsOperation) Sample(now, depth == 0 ? memory.ReadResident() : 0);
    }

    public void Dispose()
    {
        if (ReferenceEquals(device.Observer, this)) Detach();
        memory.Dispose();
    }

    private void Begin(string name, int index, OpCost cost, bool isOperation)
    {
        if (count == events.Length) Array.Resize(ref events, 2 * count);
        ref var begun = ref events[count];
        (begun.Name, begun.Index, begun.IsOperation, begun.Cost) = (name, index, isOperation, cost);
        begun.Parent = depth == 0 ? -1 : open[depth - 1];
        open[depth++] = count++;
        begun.Begin = Stopwatch.GetTimestamp();
    }

    private void Sample(long time, long resident)
    {
        if (sampleCount == samples.Length) Array.Resize(ref samples, 2 * sampleCount);
        samples[sampleCount++] = new MemorySample(time, device.AllocatedBytes, GC.GetTotalMemory(false), resident);
    }
}
