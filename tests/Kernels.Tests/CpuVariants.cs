using RepNoise.Kernels.Cpu;

namespace RepNoise.Kernels.Tests;

/// <summary>Cpu devices with forced kernels.</summary>
internal static class CpuVariants
{
    /// <summary>The device as it chooses by itself.</summary>
    public static Device Create(int threads) => Devices.Create("cpu", new DeviceOptions { Threads = threads });

    /// <summary>The device with all families forced to a register width; skips the test where the processor lacks it.</summary>
    public static Device Create(int threads, int bits) =>
        Create(threads, CpuKernels.Families.ToDictionary(family => family, family => Variant(family, bits)));

    /// <summary>The device with products in tile registers; skips the test where there are none to be had.</summary>
    public static Device CreateTiled(int threads) =>
        Create(threads, new Dictionary<string, string> { ["matmul"] = "amx", ["linear_cross_entropy"] = "amx" });

    private static Device Create(int threads, Dictionary<string, string> kernels)
    {
        try
        {
            return Devices.Create("cpu", new DeviceOptions { Threads = threads, Kernels = kernels });
        }
        catch (DeviceException e) when (e.Message.Contains("cannot run on this machine", StringComparison.Ordinal))
        {
            Assert.Skip(e.Message);
            throw;
        }
    }

    private static string Variant(string family, int bits) => (family, bits) switch
    {
        ("matmul", 512) => "avx512",
        ("matmul", 256) => "avx2",
        _ => $"vector{bits}",
    };
}
