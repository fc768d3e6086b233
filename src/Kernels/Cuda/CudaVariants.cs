namespace RepNoise.Kernels.Cuda;

/// <summary>Which variant of each kernel family a device uses: chosen by shape, or forced for all shapes.</summary>
internal sealed class CudaVariants
{
    private readonly string deviceName;
    private readonly IReadOnlyList<KernelFamily> families;
    private readonly IReadOnlyDictionary<string, string> forced;
    private readonly Dictionary<string, string> chosen = [];

    /// <param name="deviceName">Named in errors.</param>
    /// <param name="families">What there is to choose from.</param>
    /// <param name="forced">Variants by family.</param>
    /// <exception cref="DeviceException">A forced family or variant does not exist, or the variant cannot run here.</exception>
    public CudaVariants(string deviceName, IReadOnlyList<KernelFamily> families, IReadOnlyDictionary<string, string> forced)
    {
        (this.deviceName, this.families, this.forced) = (deviceName, families, forced);
        foreach (var (name, wanted) in forced)
        {
            var family = families.FirstOrDefault(family => family.Name == name)
                ?? throw Refused($"kernel family '{name}' does not exist or has one variant only", families.Select(family => family.Name));
            var variant = family.Variants.FirstOrDefault(variant => variant.Name == wanted)
                ?? throw Refused($"kernel family {name} has no variant '{wanted}'", Usable(family));
            if (variant.Refusal is { } reason) throw Refused($"variant {name}={wanted} cannot run here: {reason}", Usable(family));
        }
    }

    /// <summary>The forced variant of a family, or null where the device chooses for each shape.</summary>
    /// <param name="family">Its name.</param>
    /// <param name="automatic">What the device does by itself, for the log.</param>
    public string? Choose(string family, string automatic)
    {
        string? variant = forced.GetValueOrDefault(family);
        chosen[family] = variant ?? automatic;
        return variant;
    }

    /// <summary>The error of a forced variant that turned out not to run.</summary>
    public DeviceException Refused(string family, string reason) =>
        Refused($"variant {family}={forced[family]} cannot run here: {reason}", Usable(families.First(f => f.Name == family)).Where(name => name != forced[family]));

    /// <summary>The forced variant of each family that has several, or what the device does by itself.</summary>
    public IReadOnlyDictionary<string, string> Chosen => chosen;

    private static IEnumerable<string> Usable(KernelFamily family) => family.Variants.Where(v => v.Refusal is null).Select(v => v.Name);

    private DeviceException Refused(string problem, IEnumerable<string> usable) => new(deviceName, problem, $"Use one of {string.Join(", ", usable)}");
}
