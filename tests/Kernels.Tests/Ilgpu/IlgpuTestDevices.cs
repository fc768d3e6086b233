namespace RepNoise.Kernels.Tests.Ilgpu;

/// <summary>ILGPU devices for tests.</summary>
internal static class IlgpuTestDevices
{
    /// <summary>The device; skips the test, with the reason, where this machine has not got it.</summary>
    /// <param name="name">Name of an ILGPU device.</param>
    /// <param name="matmul">Forced variant of the matrix product.</param>
    public static Device Create(string name, string? matmul = null)
    {
        if (Devices.List().Single(device => device.Name == name).Refusal is { } refusal) Assert.Skip($"{name}: {refusal}");
        var kernels = new Dictionary<string, string>();
        if (matmul is not null) kernels.Add("matmul", matmul);
        try
        {
            return Devices.Create(name, new DeviceOptions { Kernels = kernels });
        }
        catch (DeviceException e) when (e.Message.Contains("one CUDA library a process", StringComparison.Ordinal))
        {
            // A machine with a GPU and the stand-in: whichever class comes first has the process, the other another run.
            Assert.Skip(e.Message);
            throw;
        }
    }
}
