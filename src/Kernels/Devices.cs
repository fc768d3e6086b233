namespace RepNoise.Kernels;

/// <summary>Choices that a device is created with.</summary>
public sealed record DeviceOptions
{
    /// <summary>Worker threads; 0 takes every core. Results do not depend on it.</summary>
    public int Threads { get; init; }

    /// <summary>Forced kernel variants by family: <c>matmul</c> to <c>avx2</c>. One that cannot run here is an error.</summary>
    public IReadOnlyDictionary<string, string> Kernels { get; init; } = new Dictionary<string, string>();
}

/// <summary>A device that can be asked for by name.</summary>
/// <param name="Name">What to ask for.</param>
/// <param name="Description">One line for people.</param>
/// <param name="Refusal">Why it cannot be used on this machine, or null where it can.</param>
public sealed record DeviceInfo(string Name, string Description, string? Refusal);
