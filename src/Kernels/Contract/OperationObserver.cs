namespace RepNoise.Kernels;

/// <summary>
/// Told of every operation of a device, of the stretches of work around them and, where it wants them, of named tensors as they are
/// computed; what a profiler and a dump implement. Calls nest, each begin has one <see cref="End"/>, and all come on the thread
/// that calls the device. An observer must not change results.
/// </summary>
public interface IOperationObserver
{
    /// <summary>An operation begins; its arguments are already checked.</summary>
    /// <param name="operation">The operation's name, a constant: <c>Matmul</c>.</param>
    /// <param name="cost">What it needs at least.</param>
    void BeginOperation(string operation, OpCost cost);

    /// <summary>A phase or a layer begins.</summary>
    /// <param name="name">A constant: <c>forward</c>, <c>layer</c>.</param>
    /// <param name="index">Number of the layer, or -1 where there is none.</param>
    void BeginScope(string name, int index);

    /// <summary>What began last, and has not ended, ends.</summary>
    void End();

    /// <summary>True where <see cref="OnWork"/> is of use.</summary>
    bool WantsWork => false;

    /// <summary>
    /// A thread of the device worked within the operation that runs. Told when the work is done, on the thread that calls the device;
    /// an operation may have several rounds of work, and a device that does not run on threads tells of none.
    /// </summary>
    /// <param name="worker">Number of the thread; the caller is 0.</param>
    /// <param name="begin">When it took its first part, a timestamp of <see cref="System.Diagnostics.Stopwatch"/>.</param>
    /// <param name="end">When it found no more.</param>
    void OnWork(int worker, long begin, long end)
    {
    }

    /// <summary>True where <see cref="OnTraffic"/> is of use.</summary>
    bool WantsTraffic => false;

    /// <summary>
    /// The operation that runs moves so many bytes past the caches that its cores have to themselves. A model: the operation's own
    /// blocking decides what stays there, nothing is measured; docs/profiling.md says what it counts. Several such numbers of one
    /// operation add up; a device without a model tells of none.
    /// </summary>
    void OnTraffic(double bytes)
    {
    }

    /// <summary>True where <see cref="OnTensor"/> and <see cref="OnValues(string, ReadOnlySpan{double})"/> are of use.</summary>
    bool WantsTensors => false;

    /// <summary>A tensor has its value, which it keeps until this returns. Its full name is the scopes' names and its own.</summary>
    /// <param name="name">Its name within the scope: <c>mlp</c>.</param>
    /// <param name="tensor">On the device that is observed; an observer may download it.</param>
    void OnTensor(string name, Tensor tensor)
    {
    }

    /// <summary>Numbers that the host computed or has read back.</summary>
    void OnValues(string name, ReadOnlySpan<double> values)
    {
    }

    /// <summary>Ids, positions or row numbers.</summary>
    void OnValues(string name, ReadOnlySpan<int> values)
    {
    }
}

/// <summary>Ends on disposal what an observer was told of; the default value, without an observer, does nothing.</summary>
public readonly ref struct ObservedScope
{
    private readonly IOperationObserver? observer;

    internal ObservedScope(IOperationObserver observer) => this.observer = observer;

    public void Dispose() => observer?.End();
}
