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
        var gpu = CudaProbe.Find(DriverLibraries.CudaDriver, out string noGpu);
        string? standIn = DriverLibraries.FindStandIn(out string noStandIn);
        var simulated = standIn is null ? null : CudaProbe.Find(standIn, out noStandIn);
        foreach (var (name, kind, compute) in Known)
        {
            string format = compute == NumberFormat.BFloat16 ? "bfloat16, sums, gradients and moments in float32" : "float32";
            var found = kind == AcceleratorKind.Cuda ? gpu : simulated;
            string description = kind == AcceleratorKind.Cuda
                ? $"handwritten kernels on {gpu?.Description ?? "an NVIDIA GPU"}, {format}"
                : $"the same on {simulated?.Description ?? "a libcuda stand-in that executes and checks PTX"}, {format}; for tests";
            string? refusal = found is not null ? null : kind == AcceleratorKind.Cuda ? noGpu : noStandIn;
            yield return new DeviceInfo(name, description, refusal) { Kernels = CudaFamilies.List(compute, LimitsOf(found)) };
        }
    }

    private static CudaLimits LimitsOf(CudaProbe.Gpu? gpu) => gpu is null ? CudaLimits.None : new CudaLimits(gpu.Major, gpu.Minor, gpu.SharedBytes);

    /// <summary>A device by one of the names that <see cref="Knows"/> knows.</summary>
    /// <exception cref="DeviceException">This machine has none, or an option cannot be met.</exception>
    public static Device Create(string name, DeviceOptions options)
    {
        var (_, kind, compute) = Known.First(known => known.Name == name);
        return new CudaDevice(name, AcceleratorRuntime.Get(kind, name), compute, options);
    }
}
