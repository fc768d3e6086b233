using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace RepNoise.Kernels.Cuda;

/// <summary>
/// The calls of the CUDA driver API that loading and launching foreign kernels takes, in the library that ILGPU is bound to. All
/// other calls, memory and streams above all, are ILGPU's.
/// </summary>
internal sealed unsafe class CudaDriver
{
    /// <summary>CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES.</summary>
    private const int MaxDynamicSharedBytes = 8;

    private const int JitErrorLogBuffer = 5; // CU_JIT_ERROR_LOG_BUFFER
    private const int JitErrorLogBytes = 6; // CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES
    private const int LogBytes = 8192;

    private readonly nint library;
    private readonly delegate* unmanaged<nint*, byte*, uint, int*, void**, int> loadModule;
    private readonly delegate* unmanaged<nint*, nint, byte*, int> getFunction;
    private readonly delegate* unmanaged<nint, int, int, int> setFunctionAttribute;
    private readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> launchKernel;
    private readonly delegate* unmanaged<int*, int, int, int> getDeviceAttribute;
    private readonly delegate* unmanaged<TensorMap*, int, uint, nint, ulong*, ulong*, uint*, uint*, int, int, int, int, int> encodeTensorMap;
    private readonly delegate* unmanaged<int, byte**, int> getErrorName;
    private readonly delegate* unmanaged<int, byte**, int> getErrorString;

    /// <param name="library">Handle of libcuda or its stand-in.</param>
    /// <exception cref="EntryPointNotFoundException">The library lacks a call.</exception>
    public CudaDriver(nint library)
    {
        this.library = library;
        loadModule = (delegate* unmanaged<nint*, byte*, uint, int*, void**, int>)Export("cuModuleLoadDataEx");
        getFunction = (delegate* unmanaged<nint*, nint, byte*, int>)Export("cuModuleGetFunction");
        setFunctionAttribute = (delegate* unmanaged<nint, int, int, int>)Export("cuFuncSetAttribute");
        launchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Export("cuLaunchKernel");
        getDeviceAttribute = (delegate* unmanaged<int*, int, int, int>)Export("cuDeviceGetAttribute");
        encodeTensorMap = NativeLibrary.TryGetExport(library, "cuTensorMapEncodeTiled", out nint encode)
            ? (delegate* unmanaged<TensorMap*, int, uint, nint, ulong*, ulong*, uint*, uint*, int, int, int, int, int>)encode
            : null;
        getErrorName = NativeLibrary.TryGetExport(library, "cuGetErrorName", out nint name) ? (delegate* unmanaged<int, byte**, int>)name : null;
        getErrorString = (delegate* unmanaged<int, byte**, int>)Export("cuGetErrorString");

        nint Export(string call) => NativeLibrary.GetExport(library, call);
    }

    /// <summary>Address of an entry point that not every driver has, 0 where this one has not.</summary>
    public nint Find(string call) => NativeLibrary.TryGetExport(library, call, out nint address) ? address : 0;

    /// <summary>Loads PTX or a fatbin into the current context.</summary>
    /// <param name="image">Zero-terminated where it is text.</param>
    /// <param name="module">The module.</param>
    /// <returns>Empty, or what the driver says is wrong, its compiler's log included.</returns>
    public string LoadModule(ReadOnlySpan<byte> image, out nint module)
    {
        byte* log = stackalloc byte[LogBytes];
        log[0] = 0;
        int* options = stackalloc int[] { JitErrorLogBuffer, JitErrorLogBytes };
        void** values = stackalloc void*[] { log, (void*)LogBytes };
        fixed (byte* bytes = image)
        fixed (nint* handle = &module)
        {
            int status = loadModule(handle, bytes, 2, options, values);
            if (status == 0) return "";
            string text = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(log));
            return text.Length == 0 ? Describe(status) : $"{Describe(status)}; {text.Trim()}";
        }
    }

    /// <summary>A kernel by its symbol; empty, or what is wrong.</summary>
    public string GetFunction(nint module, string symbol, out nint function)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(symbol + '\0'))
        fixed (nint* handle = &function)
        {
            int status = getFunction(handle, module, name);
            return status == 0 ? "" : Describe(status);
        }
    }

    /// <summary>Lets a kernel be launched with that much dynamic shared memory; empty, or what is wrong.</summary>
    public string AllowSharedBytes(nint function, int bytes)
    {
        int status = setFunctionAttribute(function, MaxDynamicSharedBytes, bytes);
        return status == 0 ? "" : Describe(status);
    }

    /// <summary>Queues a kernel. Arguments lie one after the other as the kernel declares them.</summary>
    /// <returns>0, or the error for <see cref="Describe"/>.</returns>
    public int Launch(nint function, Grid grid, int threads, int sharedBytes, nint stream, void* arguments, nuint argumentBytes)
    {
        const int ArgumentPointer = 1, ArgumentSize = 2; // CU_LAUNCH_PARAM_BUFFER_POINTER, CU_LAUNCH_PARAM_BUFFER_SIZE
        void** extra = stackalloc void*[] { (void*)ArgumentPointer, arguments, (void*)ArgumentSize, &argumentBytes, null };
        return launchKernel(function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)threads, 1, 1, (uint)sharedBytes, stream, null, extra);
    }

    /// <summary>A device's attribute by its number, CU_DEVICE_ATTRIBUTE_...; 0 where the driver does not know it.</summary>
    public int DeviceAttribute(int attribute, int device)
    {
        int value = 0;
        return getDeviceAttribute(&value, attribute, device) == 0 ? value : 0;
    }

    /// <summary>
    /// Describes a row-major bfloat16 matrix to the tensor memory accelerator: boxes swizzled over 128 bytes, zeros outside.
    /// </summary>
    /// <param name="address">Of its first element, a multiple of 16.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="columns">Its columns, consecutive in memory.</param>
    /// <param name="strideBytes">Between rows, a multiple of 16.</param>
    /// <param name="boxColumns">Columns of a box.</param>
    /// <param name="boxRows">Rows of a box.</param>
    /// <param name="map">The description.</param>
    /// <returns>Empty, or what is wrong.</returns>
    public string EncodeTensorMap(nint address, int rows, int columns, long strideBytes, int boxColumns, int boxRows, out TensorMap map)
    {
        const int BFloat16 = 9, NoInterleave = 0, Swizzle128 = 3, Promotion256 = 3, Zeros = 0; // CU_TENSOR_MAP_...
        map = default;
        if (encodeTensorMap == null) return "the driver has no cuTensorMapEncodeTiled";
        ulong* sizes = stackalloc ulong[] { (ulong)columns, (ulong)rows };
        ulong* strides = stackalloc ulong[] { (ulong)strideBytes };
        uint* box = stackalloc uint[] { (uint)boxColumns, (uint)boxRows };
        uint* steps = stackalloc uint[] { 1, 1 };
        // The driver writes to a multiple of 64 bytes.
        byte* memory = stackalloc byte[sizeof(TensorMap) + 64];
        var aligned = (TensorMap*)(((nint)memory + 63) / 64 * 64);
        int status = encodeTensorMap(aligned, BFloat16, 2, address, sizes, strides, box, steps, NoInterleave, Swizzle128, Promotion256, Zeros);
        map = *aligned;
        return status == 0 ? "" : Describe(status);
    }

    /// <summary>An error's name and meaning: <c>CUDA_ERROR_INVALID_VALUE, invalid argument</c>.</summary>
    public string Describe(int status)
    {
        byte* text = null;
        string name = getErrorName != null && getErrorName(status, &text) == 0
            ? Text(text)
            : string.Create(CultureInfo.InvariantCulture, $"CUDA error {status}");
        return getErrorString(status, &text) == 0 ? $"{name}, {Text(text)}" : name;
    }

    private static string Text(byte* zeroTerminated) =>
        Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(zeroTerminated)).Trim();
}

/// <summary>Blocks of a launch.</summary>
internal readonly record struct Grid(int X, int Y = 1, int Z = 1)
{
    /// <summary>True where there is nothing to do; the driver refuses empty grids.</summary>
    public bool IsEmpty => X == 0 || Y == 0 || Z == 0;
}
