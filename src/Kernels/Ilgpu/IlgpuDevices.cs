namespace RepNoise.Kernels.Ilgpu;

/// <summary>The ILGPU devices by name, and which of them this machine has.</summary>
internal static class IlgpuDevices
{
    private const string Best = "ilgpu";

    private static readonly (string Name, AcceleratorKind Kind)[] Known =
    [
        ("ilgpu:cuda", AcceleratorKind.Cuda), ("ilgpu:opencl", AcceleratorKind.OpenCL), ("ilgpu:cpu", AcceleratorKind.Cpu),
        ("ilgpu:cuda-sim", AcceleratorKind.CudaSim),
    ];

    public static bool Knows(string name) => name == Best || Known.Any(known => known.Name == name);

    /// <summary>Every name, with the reason where this machine cannot have it.</summary>
    public static IEnumerable<DeviceInfo> List()
    {
        DeviceInfo[] devices =
        [
            .. Known.Select(known => Describe(known.Name, known.Kind) with { Kernels = IlgpuDevice.Families(known.Kind) }),
        ];
        return devices.Prepend(new DeviceInfo(Best, $"the first usable of these, here {BestOf(devices)}", null));
    }

    /// <summary>A new device.</summary>
    /// <exception cref="DeviceException">
    /// The machine has no such device (the message says why and lists those it has), or a forced kernel cannot run on it.
    /// </exception>
    public static Device Create(string name, DeviceOptions options)
    {
        string chosen = name == Best ? BestOf(Known.Select(known => Describe(known.Name, known.Kind))) : name;
        var kind = Known.First(known => known.Name == chosen).Kind;
        if (Describe(chosen, kind).Refusal is { } refusal) throw Absent(chosen, refusal);
        return new IlgpuDevice(chosen, AcceleratorRuntime.Get(kind, chosen), options.Kernels);
    }

    /// <summary>The error of a device that is not there.</summary>
    public static DeviceException Absent(string name, string refusal) => new(
        name, refusal, $"Devices here: {string.Join(", ", Devices.List().Where(d => d.Refusal is null && d.Name != name).Select(d => d.Name))}");

    private static string BestOf(IEnumerable<DeviceInfo> devices) => devices.First(device => device.Refusal is null).Name;

    private static DeviceInfo Describe(string name, AcceleratorKind kind)
    {
        switch (kind)
        {
            case AcceleratorKind.Cpu:
                return new DeviceInfo(name, $"kernels in C# on ILGPU's CPU accelerator, {AcceleratorRuntime.HostMemory >> 20} MiB, for a debugger; slow", null);
            case AcceleratorKind.CudaSim:
                string? standIn = DriverLibraries.FindStandIn(out string reason);
                string? simulated = standIn is null ? null : CudaProbe.Find(standIn, out reason)?.Description;
                return new DeviceInfo(name, $"kernels in C# on {simulated ?? "a libcuda stand-in that executes and checks PTX"}, float32; for tests",
                    simulated is null ? reason : null);
            case AcceleratorKind.Cuda:
                string? gpu = CudaProbe.Describe(out string refusal);
                return new DeviceInfo(name, $"kernels in C# on {gpu ?? "an NVIDIA GPU"}, float32", gpu is null ? refusal : null);
            default:
                string? openCL = OpenCLProbe.Describe(out string problem);
                return new DeviceInfo(name, $"kernels in C# on {openCL ?? "an OpenCL device"}, float32", openCL is null ? problem : null);
        }
    }
}
