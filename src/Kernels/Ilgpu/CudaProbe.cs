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
    private const int ComputeCapabilityMajor = 75; // CU_DEVICE_ATTRIBUTE_...
    private const int ComputeCapabilityMinor = 76;
    private const int SharedBytesOfBlock = 97;
    private const int MaxNameLength = 256;

    /// <summary>A GPU as the driver describes it.</summary>
    /// <param name="Description">Name, memory and compute capability.</param>
    /// <param name="Major">Of its compute capability.</param>
    /// <param name="Minor">Of its compute capability.</param>
    /// <param name="SharedBytes">Most dynamic shared memory of a block.</param>
    public sealed record Gpu(string Description, int Major, int Minor, int SharedBytes);

    /// <summary>Name, memory and compute capability of the first device; or null, with the reason.</summary>
    public static string? Describe(out string refusal) => Find(DriverLibraries.CudaDriver, out refusal)?.Description;

    /// <summary>The first device of a driver, or null, with the reason.</summary>
    /// <param name="file">The driver's library, or a stand-in's.</param>
    /// <param name="refusal">Why there is none; empty where there is.</param>
    public static Gpu? Find(string file, out string refusal)
    {
        if (!NativeLibrary.TryLoad(file, out nint library))
        {
            refusal = $"{file} is not installed: there is no NVIDIA driver";
            return null;
        }

        try
        {
            refusal = FirstFailure(library, out var gpu);
            return gpu;
        }
        catch (EntryPointNotFoundException e)
        {
            refusal = $"{file} is no CUDA driver: {e.Message}";
            return null;
        }
    }

    /// <summary>Which question the driver did not answer; empty where it answered all.</summary>
    private static string FirstFailure(nint library, out Gpu? gpu)
    {
        gpu = null;
        var initialize = (delegate* unmanaged<uint, int>)NativeLibrary.GetExport(library, "cuInit");
        var getCount = (delegate* unmanaged<int*, int>)NativeLibrary.GetExport(library, "cuDeviceGetCount");
        var getDevice = (delegate* unmanaged<int*, int, int>)NativeLibrary.GetExport(library, "cuDeviceGet");
        var getName = (delegate* unmanaged<byte*, int, int, int>)NativeLibrary.GetExport(library, "cuDeviceGetName");
        var getMemory = (delegate* unmanaged<nuint*, int, int>)NativeLibrary.GetExport(library, "cuDeviceTotalMem_v2");
        var getAttribute = (delegate* unmanaged<int*, int, int, int>)NativeLibrary.GetExport(library, "cuDeviceGetAttribute");
        int status = initialize(0);
        if (status != 0) return Failure("cuInit", status);
        int count, device, major = 0, minor = 0, shared = 0;
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
        if (status == 0) status = getAttribute(&shared, SharedBytesOfBlock, device);
        if (status != 0) return Failure("the first device's description", status);
        string text = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name));
        gpu = new Gpu(
            string.Create(CultureInfo.InvariantCulture, $"{text}, {memory / (1 << 20)} MiB, compute capability {major}.{minor}"), major, minor, shared);
        return "";
    }

    private static string Failure(string call, int status) =>
        string.Create(CultureInfo.InvariantCulture, $"the NVIDIA driver answers {call} with CUDA error {status}");
}
