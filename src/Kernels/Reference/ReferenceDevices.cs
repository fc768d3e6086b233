namespace RepNoise.Kernels.Reference;

/// <summary>The reference devices by name.</summary>
public static class ReferenceDevices
{
    /// <summary><c>reference</c>, which is float64, and one name per number format of compute buffers.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["reference", "reference:float64", "reference:float32", "reference:bfloat16"];

    /// <summary>A new device.</summary>
    /// <exception cref="DeviceException">The name is none of <see cref="Names"/>.</exception>
    public static Device Create(string name) => name switch
    {
        "reference" or "reference:float64" => new ReferenceDevice<double, Float64Rounding>(),
        "reference:float32" => new ReferenceDevice<float, Float32Rounding>(),
        "reference:bfloat16" => new ReferenceDevice<float, BFloat16Rounding>(),
        _ => throw new DeviceException(name, "there is no such reference device", $"Use one of {string.Join(", ", Names)}"),
    };

    /// <summary>The device whose compute buffers have a format.</summary>
    /// <exception cref="DeviceException">No reference device has it.</exception>
    public static Device Create(NumberFormat format) => Create($"reference:{FormatName(format)}");

    internal static string FormatName(NumberFormat format) => format switch
    {
        NumberFormat.Float64 => "float64",
        NumberFormat.Float32 => "float32",
        NumberFormat.BFloat16 => "bfloat16",
        _ => "int32",
    };
}
