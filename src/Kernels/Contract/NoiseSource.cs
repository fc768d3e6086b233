namespace RepNoise.Kernels;

/// <summary>
/// Where an MMD's Gaussian draw comes from: regenerated from a counter whenever it is needed, or read from a buffer (which is
/// how draws of another program, PyTorch's say, are fed in).
/// </summary>
public readonly record struct NoiseSource
{
    /// <summary>(R, C), state: row r is the draw of entry r of the plan. None for counter noise.</summary>
    public Tensor Buffer { get; private init; }

    /// <summary>Seed of the run.</summary>
    public ulong Seed { get; private init; }

    /// <summary>Optimizer step, from 0.</summary>
    public uint Step { get; private init; }

    /// <summary>Layer, from 0.</summary>
    public int Layer { get; private init; }

    public bool IsBuffer => !Buffer.IsEmpty;

    /// <summary>The draw as a function of (seed, step, layer, pair id, position, channel); see <see cref="GaussianNoise"/>.</summary>
    public static NoiseSource Counter(ulong seed, uint step, int layer) => new() { Seed = seed, Step = step, Layer = layer };

    public static NoiseSource FromBuffer(Tensor buffer) => new() { Buffer = buffer };
}
