using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime.OpenCL;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>Which OpenCL device ILGPU would take, and why it takes none.</summary>
internal static class OpenCLProbe
{
    private static readonly Lazy<(string? Found, string Refusal)> Answer = new(Ask);

    /// <summary>Name and memory of the first device that ILGPU accepts; or null, with the reason.</summary>
    public static string? Describe(out string refusal)
    {
        refusal = Answer.Value.Refusal;
        return Answer.Value.Found;
    }

    private static (string? Found, string Refusal) Ask()
    {
        if (OperatingSystem.IsLinux() && !NativeLibrary.TryLoad("libOpenCL.so.1", out _))
            return (null, "libOpenCL.so.1 is not installed: there is no OpenCL");
        DriverLibraries.Install();
        try
        {
            using var context = Context.Create(builder => builder.OpenCL(_ => true));
            var devices = context.GetCLDevices();
            if (devices.Count == 0) return (null, "OpenCL lists no device");
            foreach (var device in devices)
            {
                if (device.Capabilities.GenericAddressSpace && device.Capabilities.Float64)
                    return ($"{device.Name.Trim()}, {device.MemorySize >> 20} MiB, OpenCL {device.DeviceVersion}", "");
            }

            return (null, $"{devices[0].Name.Trim()} lacks the generic address space or the doubles that kernels need");
        }
        catch (Exception e) when (e is CLException or NotSupportedException or DllNotFoundException)
        {
            return (null, $"OpenCL fails: {e.Message}");
        }
    }
}
