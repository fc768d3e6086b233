namespace RepNoise.Kernels.Reference;

/// <summary>The reference devices by name.</summary>
public static class ReferenceDevices
{
    /// <summary><c>reference</c>, which is float64, and one name per number format of compute buffers.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["reference", "reference:float64", "reference:float32", BFloat16];

    /// <summary>The one that rounds to bfloat16.</summary>
    internal const string BFloat16 = "reference:bfloat16";

    /// <summary>A new device.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="narrowParameters">True keeps master weights, gradients and moments in the compute format.</param>
    /// <exception cref="DeviceException">The name is none of <see cref="Names"/>.</exception>
    public static Device Create(string name, bool narrowParameters = false) => name switch
    {
        "reference" or "reference:float64" => new ReferenceDevice<double, Float64Rounding>(),
        "reference:float32" => new ReferenceDevice<float, Float32Rounding>(),
        BFloat16 => new ReferenceDevice<float, BFloat16Rounding>(narrowParameters),
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
