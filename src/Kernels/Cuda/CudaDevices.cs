using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Cuda;

/// <summary>The CUDA devices by name, and which of them this machine has.</summary>
internal static class CudaDevices
{
    private static readonly (string Name, AcceleratorKind Kind, NumberFormat Compute)[] Known =
    [
        ("cuda", AcceleratorKind.Cuda, NumberFormat.BFloat16), ("cuda:float32", AcceleratorKind.Cuda, NumberFormat.Float32),
        ("cuda:sim", AcceleratorKind.CudaSim, NumberFormat.BFloat16), ("cuda:sim:float32", AcceleratorKind.CudaSim, NumberFormat.Float32),
    ];

    public static bool Knows(string name) => Known.Any(known => known.Name == name);

    /// <summary>Every name, with the reason where this machine cannot have it.</summary>
    public static IEnumerable<DeviceInfo> List()
    {
        string? gpu = CudaProbe.Describe(out string noGpu);
        string? standIn = DriverLibraries.FindStandIn(out string noStandIn);
        foreach (var (name, kind, compute) in Known)
        {
            string format = compute == NumberFormat.BFloat16 ? "bfloat16, sums, gradients and moments in float32" : "float32";
            yield return kind == AcceleratorKind.Cuda
                ? new DeviceInfo(name, $"handwritten kernels on {gpu ?? "an NVIDIA GPU"}, {format}", gpu is null ? noGpu : null)
                : new DeviceInfo(name, $"the same on a libcuda stand-in that executes and checks PTX, {format}; for tests",
                    standIn is null ? noStandIn : null);
        }
    }

    /// <summary>A device by one of the names that <see cref="Knows"/> knows.</summary>
    /// <exception cref="DeviceException">This machine has none, or an option cannot be met.</exception>
    public static Device Create(string name, DeviceOptions options)
    {
        var (_, kind, compute) = Known.First(known => known.Name == name);
        return new CudaDevice(name, AcceleratorRuntime.Get(kind, name), compute, options);
    }
}
