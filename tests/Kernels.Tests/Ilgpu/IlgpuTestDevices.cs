namespace RepNoise.Kernels.Tests.Ilgpu;

/// <summary>ILGPU devices for tests.</summary>
internal static class IlgpuTestDevices
{
    /// <summary>The device; skips the test, with the reason, where this machine has not got it.</summary>
    public static Device Create(string name)
    {
        if (Devices.List().Single(device => device.Name == name).Refusal is { } refusal) Assert.Skip($"{name}: {refusal}");
        return Devices.Create(name);
    }
}
