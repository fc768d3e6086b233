namespace RepNoise.Kernels.Tests.Support;

/// <summary>The CUDA devices that tests run on; a test is skipped, with both reasons, where there is neither GPU nor stand-in.</summary>
internal static class CudaTestDevices
{
    public static Device BFloat16(DeviceOptions? options = null) => Create("", options);

    public static Device Float32(DeviceOptions? options = null) => Create(":float32", options);

    private static Device Create(string format, DeviceOptions? options)
    {
        string?[] refusals = [Refusal("cuda"), Refusal("cuda:sim")];
        int usable = Array.IndexOf(refusals, null);
        if (usable < 0) Assert.Skip($"{refusals[0]}; {refusals[1]}");
        return Devices.Create((usable == 0 ? "cuda" : "cuda:sim") + format, options);
    }

    private static string? Refusal(string name) => Devices.List().First(device => device.Name == name).Refusal;
}
