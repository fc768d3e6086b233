using RepNoise.Kernels.Cpu;
using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Ilgpu;
using RepNoise.Kernels.Reference;

namespace RepNoise.Kernels;

/// <summary>Choices that a device is created with.</summary>
public sealed record DeviceOptions
{
    /// <summary>Worker threads; 0 takes every core. Results do not depend on it.</summary>
    public int Threads { get; init; }

    /// <summary>Forced kernel variants by family: <c>matmul</c> to <c>avx2</c>. One that cannot run here is an error.</summary>
    public IReadOnlyDictionary<string, string> Kernels { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Format of master weights, gradients and moments: float32, or bfloat16 on a device that computes in it, which halves their
    /// memory and more, and loses updates below half a unit in a weight's last place. Null is the device's own choice.
    /// </summary>
    public NumberFormat? StateFormat { get; init; }

    /// <summary>Submit stretches of operations (<see cref="Device.Capture"/>) as CUDA graphs. Results have the same bits; an error on a device without them.</summary>
    public bool CudaGraphs { get; init; }
}

/// <summary>A device that can be asked for by name.</summary>
/// <param name="Name">What to ask for.</param>
/// <param name="Description">One line for people.</param>
/// <param name="Refusal">Why it cannot be used on this machine, or null where it can.</param>
public sealed record DeviceInfo(string Name, string Description, string? Refusal)
{
    /// <summary>Kernel families whose variant can be forced; empty for a device without variants.</summary>
    public IReadOnlyList<KernelFamily> Kernels { get; init; } = [];
}

/// <summary>The devices by name.</summary>
public static class Devices
{
    /// <summary>Every name that <see cref="Create"/> knows, with the reason where this machine cannot have it.</summary>
    public static IReadOnlyList<DeviceInfo> List() =>
    [
        new(CpuDevice.DeviceName, "this processor, SIMD on all cores, float32; the default", null) { Kernels = CpuKernels.List() },
        .. CudaDevices.List(),
        .. IlgpuDevices.List(),
        .. ReferenceDevices.Names.Select(name => new DeviceInfo(name, "plain loops on one core: what each operation means", null)),
    ];

    /// <summary>A new device; the caller disposes it.</summary>
    /// <param name="name">One of <see cref="List"/>.</param>
    /// <param name="options">Threads and kernels; null for the defaults. Only device cpu has use for threads.</param>
    /// <exception cref="DeviceException">The name is unknown, or an option cannot be met.</exception>
    public static Device Create(string name, DeviceOptions? options = null)
    {
        options ??= new DeviceOptions();
        bool isNarrow = options.StateFormat == NumberFormat.BFloat16, canBeNarrow = CudaDevices.Knows(name) || name == ReferenceDevices.BFloat16;
        if (isNarrow && !canBeNarrow)
            throw new DeviceException(name, "it keeps weights and moments in its own format, not in bfloat16", "Use device cuda");
        if (options.CudaGraphs && !CudaDevices.Knows(name) && List().Any(device => device.Name == name))
            throw new DeviceException(name, "it has no CUDA graphs", "Use device cuda, or leave CUDA graphs off");
        if (name == CpuDevice.DeviceName) return new CpuDevice(options);
        if (CudaDevices.Knows(name)) return CudaDevices.Create(name, options);
        if (IlgpuDevices.Knows(name)) return IlgpuDevices.Create(name, options);
        if (!ReferenceDevices.Names.Contains(name))
            throw new DeviceException(name, "there is no such device", $"Use one of {string.Join(", ", List().Select(device => device.Name))}");
        if (options.Kernels.Count > 0)
            throw new DeviceException(name, "it has no kernel variants to choose", "Leave the kernels out, or use device cpu");
        return ReferenceDevices.Create(name, isNarrow);
    }
}
