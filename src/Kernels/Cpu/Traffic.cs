namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Counts what an operation moves past the cache that each core has to itself (L2), as a model. Nothing lies there when an operation
/// begins. What is read crosses once; what is written crosses twice, because a line is fetched before a store changes it and goes
/// back later. Memory that is used again crosses again, unless all that its core touches in between fits into the cache; what another
/// core wrote always crosses. Whole lines, no prefetch too many, no misses by address: a floor of what this blocking must move.
/// </summary>
/// <param name="cacheBytes">Bytes of a core's cache.</param>
internal struct Traffic(long cacheBytes)
{
    private double floats;

    /// <summary>What was counted so far.</summary>
    public readonly double Bytes => floats * sizeof(float);

    /// <summary>Floats that are fetched.</summary>
    public void Read(double count) => floats += count;

    /// <summary>Floats that are fetched, changed and written back.</summary>
    public void Write(double count) => floats += 2 * count;

    /// <summary>Floats that are stored past the caches, whose lines nobody fetches.</summary>
    public void Stream(double count) => floats += count;

    /// <summary>True where so many floats stay in a core's cache.</summary>
    public readonly bool Fits(double count) => count * sizeof(float) <= cacheBytes;

    /// <summary>How often something crosses that is used so often, with so many floats touched from one use to the next.</summary>
    public readonly double Passes(double uses, double between) => Fits(between) ? Math.Min(1, uses) : uses;
}
