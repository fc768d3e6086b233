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

    /// <summary>Bytes that it moves past the cores' own caches, as its model has it; 0 where the device has none.</summary>
    public double Moved;

    /// <summary>Bytes that misses of the last-level cache brought, without the operations in it; 0 where nobody counts.</summary>
    public long Missed;

    /// <summary>Timestamps of <see cref="Stopwatch"/>.</summary>
    public long Begin;

    public long End;
}

/// <summary>A thread of the device at work.</summary>
/// <param name="Event">Number of the operation it worked for.</param>
/// <param name="Worker">Number of the thread.</param>
/// <param name="Begin">Timestamp of <see cref="Stopwatch"/>.</param>
/// <param name="End">Likewise.</param>
internal readonly record struct WorkSpan(int Event, int Worker, long Begin, long End);

/// <summary>Memory in use at one moment.</summary>
/// <param name="Time">Timestamp of <see cref="Stopwatch"/>.</param>
/// <param name="DeviceBytes">Bytes of the device's buffers.</param>
/// <param name="ManagedBytes">Bytes of the managed heap.</param>
/// <param name="ResidentBytes">Bytes that the process holds in memory, or 0 where this was not asked at that moment.</param>
internal readonly record struct MemorySample(long Time, long DeviceBytes, long ManagedBytes, long ResidentBytes);

/// <summary>Room for what a recorder takes.</summary>
/// <param name="Events">Operations and scopes.</param>
/// <param name="Work">Spans of threads at work.</param>
/// <param name="Samples">Looks at the memory.</param>
internal readonly record struct RecorderCapacity(int Events, int Work, int Samples)
{
    /// <summary>The room of so many of these, and half as much again for those that need more.</summary>
    public RecorderCapacity Times(int count) => new(Scale(Events, count), Scale(Work, count), Scale(Samples, count));

    private static int Scale(int room, int count) => (int)Math.Min(Array.MaxLength / 2, 1.5 * room * count);
}

/// <summary>
/// Records every operation and scope of a device with its begin and end, and its threads at work, in arrays that are there before. A timestamp follows a
/// synchronisation, so that on devices that run behind the host each operation gets its own time; there, recorded steps are
/// slower than plain ones by what host and device would have done at once.
/// </summary>
internal sealed class ProfileRecorder : IOperationObserver, IDisposable
{
    private const int MaxDepth = 64;

    /// <summary>Step, micro-batch: what ends below them is a phase, and memory is sampled there.</summary>
    private const int PhaseDepth = 2;

    private readonly Device device;
    private readonly CacheMissCounters? misses;
    private readonly PeakMemory memory = new();
    private readonly int[] open = new int[MaxDepth];
    private ProfileEvent[] events;
    private WorkSpan[] work;
    private MemorySample[] samples;
    private int count;
    private int workCount;
    private int sampleCount;
    private int depth;

    /// <param name="device">What is watched between <see cref="Attach"/> and <see cref="Detach"/>.</param>
    /// <param name="capacity">What to have room for; more makes the arrays grow, which costs time where it happens.</param>
    /// <param name="misses">Read at each operation's begin and end; stays the caller's. Null for none.</param>
    public ProfileRecorder(Device device, RecorderCapacity capacity, CacheMissCounters? misses = null)
    {
        (this.device, this.misses) = (device, misses);
        (events, work, samples) = ([], [], []);
        Clear(capacity);
    }

    /// <summary>In the order of their begins.</summary>
    public ReadOnlySpan<ProfileEvent> Events => events.AsSpan(0, count);

    /// <summary>Of each thread in the order of time.</summary>
    public ReadOnlySpan<WorkSpan> Work => work.AsSpan(0, workCount);

    /// <inheritdoc/>
    public bool WantsWork => true;

    /// <inheritdoc/>
    public bool WantsTraffic => true;

    /// <summary>True where cache misses are counted.</summary>
    public bool CountsMisses => misses is not null;

    /// <summary>How much room what is recorded takes.</summary>
    public RecorderCapacity Used => new(count, workCount, sampleCount);

    public ReadOnlySpan<MemorySample> Samples => samples.AsSpan(0, sampleCount);

    public void Attach() => device.Observer = this;

    public void Detach() => device.Observer = null;

    /// <summary>Forgets what was recorded and makes room.</summary>
    public void Clear(RecorderCapacity capacity)
    {
        (count, workCount, sampleCount, depth) = (0, 0, 0, 0);
        Reserve(ref events, capacity.Events);
        Reserve(ref work, capacity.Work);
        Reserve(ref samples, capacity.Samples);
    }

    /// <inheritdoc/>
    public void BeginOperation(string operation, OpCost cost) => Begin(operation, -1, cost, isOperation: true);

    /// <inheritdoc/>
    public void BeginScope(string name, int index)
    {
        // Asking the system costs tens of microseconds: once a step, at its end, and once before the first.
        if (depth == 0) Sample(Stopwatch.GetTimestamp(), sampleCount == 0 ? memory.ReadResident() : 0);
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
        if (misses is not null && ended.IsOperation) EndMisses(ref ended);
        if (depth <= PhaseDepth && !ended.IsOperation) Sample(now, depth == 0 ? memory.ReadResident() : 0);
    }

    /// <inheritdoc/>
    public void OnWork(int worker, long begin, long end)
    {
        if (workCount == work.Length) Array.Resize(ref work, 2 * workCount + 1);
        work[workCount++] = new WorkSpan(open[depth - 1], worker, begin, end);
    }

    /// <inheritdoc/>
    public void OnTraffic(double bytes) => events[open[depth - 1]].Moved += bytes;

    public void Dispose()
    {
        if (ReferenceEquals(device.Observer, this)) Detach();
        memory.Dispose();
    }

    private void Begin(string name, int index, OpCost cost, bool isOperation)
    {
        if (count == events.Length) Array.Resize(ref events, 2 * count + 1);
        ref var begun = ref events[count];
        (begun.Name, begun.Index, begun.IsOperation, begun.Cost, begun.Moved) = (name, index, isOperation, cost, 0);
        begun.Parent = depth == 0 ? -1 : open[depth - 1];
        open[depth++] = count++;
        begun.Missed = misses is not null && isOperation ? -misses.ReadBytes() : 0;
        begun.Begin = Stopwatch.GetTimestamp();
    }

    /// <summary>What the operation brought, taken from the one around it.</summary>
    private void EndMisses(ref ProfileEvent ended)
    {
        ended.Missed += misses!.ReadBytes();
        if (ended.Parent >= 0 && events[ended.Parent].IsOperation) events[ended.Parent].Missed -= ended.Missed;
    }

    /// <summary>Memory that is touched first while a step runs would cost page faults there, so it is touched here.</summary>
    private static void Reserve<T>(ref T[] array, int capacity)
    {
        if (array.Length >= capacity) return;
        array = new T[capacity];
        Array.Fill(array, default!);
    }

    private void Sample(long time, long resident)
    {
        if (sampleCount == samples.Length) Array.Resize(ref samples, 2 * sampleCount + 1);
        samples[sampleCount++] = new MemorySample(time, device.AllocatedBytes, GC.GetTotalMemory(false), resident);
    }
}
