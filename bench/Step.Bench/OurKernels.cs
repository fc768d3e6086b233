using RepNoise.Kernels;

namespace RepNoise.Bench.Step;

/// <summary>Kernel variants that our side is asked to use.</summary>
internal static class OurKernels
{
    /// <summary><c>ours</c>, and the variants that were asked for.</summary>
    public static string Name(IReadOnlyDictionary<string, string> kernels) =>
        kernels.Count == 0 ? "ours" : $"ours ({string.Join(", ", kernels.Select(choice => $"{choice.Key}={choice.Value}"))})";

    /// <summary>Variants by family. They are tried on a device, so that a wrong one is refused before anything is measured.</summary>
    /// <param name="choices">FAMILY=VARIANT each.</param>
    /// <exception cref="ArgumentException">One of another form, a family twice, or a variant that the device refuses.</exception>
    public static Dictionary<string, string> Read(IEnumerable<string> choices)
    {
        Dictionary<string, string> kernels = [];
        foreach (string choice in choices)
        {
            if (choice.Split('=') is not [{ Length: > 0 } family, { Length: > 0 } variant])
                throw new ArgumentException($"found '{choice}', expected FAMILY=VARIANT, as in matmul=amx");
            if (!kernels.TryAdd(family, variant)) throw new ArgumentException($"{family} is given twice; keep the one you mean");
        }

        try
        {
            using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1, Kernels = kernels });
        }
        catch (DeviceException refusal)
        {
            throw new ArgumentException($"{refusal.Problem}. {refusal.Remedy}.", refusal);
        }

        return kernels;
    }
}
