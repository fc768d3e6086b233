using RepNoise.Kernels;

namespace RepNoise.Host.Planning;

/// <summary>Adds up the costs of a device's operations. One that is made of others counts once, by its own statement.</summary>
internal sealed class WorkSum : IOperationObserver
{
    private int depth;

    /// <summary>How deep the outermost open operation lies; 0 for none.</summary>
    private int operation;

    public OpCost Total { get; private set; }

    public void BeginOperation(string operation, OpCost cost)
    {
        depth++;
        if (this.operation > 0) return;
        this.operation = depth;
        Total += cost;
    }

    public void BeginScope(string name, int index) => depth++;

    public void End()
    {
        if (depth == operation) operation = 0;
        depth--;
    }
}
