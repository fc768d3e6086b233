namespace RepNoise.Kernels;

/// <summary>Observation: without anybody who listens an operation pays for one comparison, and no cost is computed.</summary>
public abstract partial class Device
{
    /// <summary>The observer, the tracer, or both.</summary>
    private IOperationObserver? listener;

    /// <summary>Told of every operation; null, the default, for none. Set it between operations only.</summary>
    public IOperationObserver? Observer
    {
        get;
        set
        {
            field = value;
            ListenerChanged();
            ObserverChanged();
        }
    }

    /// <summary>Told of operations and scopes besides the observer: what marks them for a tool outside this program. Null for none.</summary>
    internal IOperationObserver? Tracer
    {
        get;
        set
        {
            field = value;
            ListenerChanged();
        }
    }

    /// <summary>Marks a phase or layer for the observer until the result is disposed.</summary>
    /// <param name="name">A constant: <c>forward</c>, <c>layer</c>.</param>
    /// <param name="index">Number of the layer, or -1.</param>
    public ObservedScope Scope(string name, int index = -1)
    {
        if (listener is not { } told) return default;
        told.BeginScope(name, index);
        return new ObservedScope(told);
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
        var told = listener!;
        told.BeginOperation(operation, cost);
        return new ObservedScope(told);
    }

    private void ListenerChanged() => listener = (Tracer, Observer) switch
    {
        ({ } tracer, { } observer) => new ListenerPair(tracer, observer),
        var (tracer, observer) => tracer ?? observer,
    };

    /// <summary>Bytes of one element.</summary>
    private int Size(Tensor tensor) => FormatOf(tensor.Buffer.Kind).Size();

    /// <summary>Tells two of begins and ends; all else goes to the observer itself.</summary>
    private sealed class ListenerPair(IOperationObserver tracer, IOperationObserver observer) : IOperationObserver
    {
        public void BeginOperation(string operation, OpCost cost)
        {
            tracer.BeginOperation(operation, cost);
            observer.BeginOperation(operation, cost);
        }

        public void BeginScope(string name, int index)
        {
            tracer.BeginScope(name, index);
            observer.BeginScope(name, index);
        }

        public void End()
        {
            observer.End();
            tracer.End();
        }
    }
}
