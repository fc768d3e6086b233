namespace RepNoise.Kernels;

/// <summary>Observation: without an observer an operation pays for one comparison, and no cost is computed.</summary>
public abstract partial class Device
{
    /// <summary>Told of every operation; null, the default, for none. Set it between operations only.</summary>
    public IOperationObserver? Observer
    {
        get;
        set
        {
            field = value;
            ObserverChanged();
        }
    }

    /// <summary>Marks a phase or layer for the observer until the result is disposed.</summary>
    /// <param name="name">A constant: <c>forward</c>, <c>layer</c>.</param>
    /// <param name="index">Number of the layer, or -1.</param>
    public ObservedScope Scope(string name, int index = -1)
    {
        if (Observer is not { } observer) return default;
        observer.BeginScope(name, index);
        return new ObservedScope(observer);
    }

    /// <summary>True where an observer wants tensors: guards what only <see cref="Show(string, Tensor)"/> needs.</summary>
    public bool ShowsTensors => Observer is { WantsTensors: true };

    /// <summary>Shows the observer, where one wants tensors, a value that is of interest under a name.</summary>
    /// <param name="name">A constant, or a name that exists anyway; unique within its scope.</param>
    /// <param name="tensor">The value; the observer reads it before this returns.</param>
    public void Show(string name, Tensor tensor)
    {
        if (ShowsTensors) Observer!.OnTensor(name, tensor);
    }

    /// <inheritdoc cref="Show(string, Tensor)"/>
    public void Show(string name, params ReadOnlySpan<double> values)
    {
        if (ShowsTensors) Observer!.OnValues(name, values);
    }

    /// <inheritdoc cref="Show(string, Tensor)"/>
    public void Show(string name, ReadOnlySpan<int> values)
    {
        if (ShowsTensors) Observer!.OnValues(name, values);
    }

    /// <summary>There is another observer, or none; for a backend that has more to tell than its operations.</summary>
    protected virtual void ObserverChanged()
    {
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
