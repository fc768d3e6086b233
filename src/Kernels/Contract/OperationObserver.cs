namespace RepNoise.Kernels;

/// <summary>
/// Told of every operation of a device and of the stretches of work around them; what a profiler implements. Calls nest, each
/// begin has one <see cref="End"/>, and all come on the thread that calls the device. An observer must not change results.
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
}

/// <summary>Ends on disposal what an observer was told of; the default value, without an observer, does nothing.</summary>
public readonly ref struct ObservedScope
{
    private readonly IOperationObserver? observer;

    internal ObservedScope(IOperationObserver observer) => this.observer = observer;

    public void Dispose() => observer?.End();
}
