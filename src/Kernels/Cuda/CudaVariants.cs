namespace RepNoise.Kernels.Cuda;

/// <summary>Which variant of each kernel family a device uses: chosen by shape, or forced for all shapes.</summary>
internal sealed class CudaVariants(string deviceName, IReadOnlyDictionary<string, string> forced)
{
    private readonly Dictionary<string, string> chosen = [];

    /// <summary>The forced variant of a family, or null where the device chooses for each shape. To be asked once a family.</summary>
    /// <param name="family">Its name.</param>
    /// <param name="existing">Its variants.</param>
    /// <param name="automatic">What the device does by itself, for the log.</param>
    /// <exception cref="DeviceException">The forced variant does not exist.</exception>
    public string? Choose(string family, IReadOnlyList<string> existing, string automatic)
    {
        string? variant = forced.GetValueOrDefault(family);
        if (variant is not null && !existing.Contains(variant))
            throw new DeviceException(deviceName, $"kernel family {family} has no variant '{variant}'", $"Use one of {string.Join(", ", existing)}");
        chosen[family] = variant ?? automatic;
        return variant;
    }

    /// <summary>Refuses a forced family that no <see cref="Choose"/> asked for.</summary>
    public void CheckFamilies()
    {
        foreach (string family in forced.Keys)
        {
            if (!chosen.ContainsKey(family))
                throw new DeviceException(deviceName, $"kernel family '{family}' does not exist or has one variant only", $"Use one of {string.Join(", ", chosen.Keys)}");
        }
    }

    /// <summary>The forced variant of each family that has several, or what the device does by itself.</summary>
    public IReadOnlyDictionary<string, string> Chosen => chosen;
}
