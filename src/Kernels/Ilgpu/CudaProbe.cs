using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>
/// Asks the CUDA driver what there is without ILGPU, which reports a failing driver as no device at all and binds its imports
/// for good.
/// </summary>
internal static unsafe class CudaProbe
{
    private const int ComputeCapabilityMajor = 75;
    private const int ComputeCapabilityMinor = 76;
    private const int MaxNameLength = 256;

    /// <summary>Name, memory and compute capability of the first device; or null, with the reason.</summary>
    public static string? Describe(out string refusal)
    {
        if (!NativeLibrary.TryLoad(DriverLibraries.CudaDriver, out nint library))
        {
            refusal = $"{DriverLibraries.CudaDriver} is not installed: there is no NVIDIA driver";
            return null;
        }

        try
        {
            refusal = FirstFailure(library, out string description);
            return refusal.Length == 0 ? description : null;
        }
        catch (EntryPointNotFoundException e)
        {
            refusal = $"{DriverLibraries.CudaDriver} is no CUDA driver: {e.Message}";
            return null;
        }
    }

    /// <summary>Which question the driver did not answer; empty where it answered all.</summary>
    private static string FirstFailure(nint library, out string description)
    {
        description = "";
        var initialize = (delegate* unmanaged<uint, int>)NativeLibrary.GetExport(library, "cuInit");
        var getCount = (delegate* unmanaged<int*, int>)NativeLibrary.GetExport(library, "cuDeviceGetCount");
        var getDevice = (delegate* unmanaged<int*, int, int>)NativeLibrary.GetExport(library, "cuDeviceGet");
        var getName = (delegate* unmanaged<byte*, int, int, int>)NativeLibrary.GetExport(library, "cuDeviceGetName");
        var getMemory = (delegate* unmanaged<nuint*, int, int>)NativeLibrary.GetExport(library, "cuDeviceTotalMem_v2");
        var getAttribute = (delegate* unmanaged<int*, int, int, int>)NativeLibrary.GetExport(library, "cuDeviceGetAttribute");
        int status = initialize(0);
        if (status != 0) return Failure("cuInit", status);
        int count, device, major = 0, minor = 0;
        status = getCount(&count);
        if (status != 0) return Failure("cuDeviceGetCount", status);
        if (count == 0) return "the NVIDIA driver lists no device";
        byte* name = stackalloc byte[MaxNameLength];
        nuint memory = 0;
        status = getDevice(&device, 0);
        if (status == 0) status = getName(name, MaxNameLength, device);
        if (status == 0) status = getMemory(&memory, device);
        if (status == 0) status = getAttribute(&major, ComputeCapabilityMajor, device);
        if (status == 0) status = getAttribute(&minor, ComputeCapabilityMinor, device);
        if (status != 0) return Failure("the first device's description", status);
        string text = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name));
        description = string.Create(CultureInfo.InvariantCulture, $"{text}, {memory / (1 << 20)} MiB, compute capability {major}.{minor}");
        return "";
    }

    private static string Failure(string call, int status) =>
        string.Create(CultureInfo.InvariantCulture, $"the NVIDIA driver answers {call} with CUDA error {status}");
}
