namespace RepNoise.Kernels;

/// <summary>Observation: without an observer an operation pays for one comparison, and no cost is computed.</summary>
public abstract partial class Device
{
    /// <summary>Told of every operation; null, the default, for none. Set it between operations only.</summary>
    public IOperationObserver? Observer { get; set; }

    /// <summary>Marks a phase or layer for the observer until the result is disposed.</summary>
    /// <param name="name">A constant: <c>forward</c>, <c>layer</c>.</param>
    /// <param name="index">Number of the layer, or -1.</param>
    public ObservedScope Scope(string name, int index = -1)
    {
        if (Observer is not { } observer) return default;
        observer.BeginScope(name, index);
        return new ObservedScope(observer);
    }

    private ObservedScope Observe(string operation, OpCost cost)
    {
        var observer = Observer!;
        observer.BeginOperation(operation, cost);
        return new ObservedScope(observer);
    }

    /// <summary>Bytes of one element.</summary>
    private int Size(Tensor tensor) => FormatOf(tensor.Buffer.Kind).Size();
}
