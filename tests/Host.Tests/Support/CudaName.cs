using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Support;

/// <summary>The CUDA device that tests run on: the GPU where there is one, else the stand-in; without either the test is skipped.</summary>
internal static class CudaName
{
    /// <param name="format">Empty for bfloat16, or <c>:float32</c>.</param>
    public static string Of(string format)
    {
        var refusals = Devices.List().ToDictionary(device => device.Name, device => device.Refusal);
        Assert.SkipWhen(refusals["cuda"] is not null && refusals["cuda:sim"] is not null, $"{refusals["cuda"]}; {refusals["cuda:sim"]}");
        return (refusals["cuda"] is null ? "cuda" : "cuda:sim") + format;
    }
}
