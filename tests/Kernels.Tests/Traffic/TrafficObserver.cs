namespace RepNoise.Kernels.Tests.Traffic;

/// <summary>Adds up what it is told that operations move.</summary>
internal sealed class TrafficObserver : IOperationObserver
{
    public double Bytes { get; private set; }

    public bool WantsTraffic => true;

    public void OnTraffic(double bytes) => Bytes += bytes;

    public void BeginOperation(string operation, OpCost cost)
    {
    }

    public void BeginScope(string name, int index)
    {
    }

    public void End()
    {
    }
}
