using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>
/// Finds the driver libraries that ILGPU imports by their development names (<c>cuda</c>, <c>OpenCL</c>): a machine that only
/// runs programs has <c>libcuda.so.1</c> and <c>libOpenCL.so.1</c>. A stand-in for libcuda, which executes PTX on the processor,
/// can take the driver's place; a process has one or the other, for ILGPU binds its imports once.
/// </summary>
internal static class DriverLibraries
{
    /// <summary>Names the stand-in's file where it is not at its place; see <see cref="FindStandIn"/>.</summary>
    public const string StandInVariable = "REPNOISE_CUDA_SIM";

    public const string CudaDriver = "libcuda.so.1";

    private const string StandInFile = "libcuda-sim.so";

    /// <summary>On the Windows Subsystem for Linux ILGPU sets a resolver of its own, and there can be one only.</summary>
    private const string WslLibraries = "/usr/lib/wsl/lib";

    private static readonly Lock Sync = new();
    private static string? cudaLibrary;
    private static nint cuda;
    private static bool isInstalled;

    /// <summary>The library that ILGPU's CUDA imports are bound to; for calls that ILGPU lacks. 0 before <see cref="UseCuda"/>.</summary>
    public static nint Cuda => cuda;

    /// <summary>The stand-in: what the variable names, else beside the program, else artifacts/native of a folder above it.</summary>
    /// <returns>A full path, or null with the reason in <paramref name="reason"/>.</returns>
    public static string? FindStandIn(out string reason)
    {
        string? named = Environment.GetEnvironmentVariable(StandInVariable);
        if (!string.IsNullOrEmpty(named))
        {
            reason = $"{StandInVariable} names {named}, which does not exist";
            return File.Exists(named) ? Path.GetFullPath(named) : null;
        }

        reason = $"the libcuda stand-in is not built: there is no {StandInFile} beside the program or in artifacts/native; " +
            $"build native/ptxsim or set {StandInVariable} to its path";
        string beside = Path.Combine(AppContext.BaseDirectory, StandInFile);
        if (File.Exists(beside)) return beside;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string built = Path.Combine(folder.FullName, "artifacts", "native", StandInFile);
            if (File.Exists(built)) return built;
        }

        return null;
    }

    /// <summary>Binds ILGPU's CUDA imports to a library for the rest of the process.</summary>
    /// <param name="library"><see cref="CudaDriver"/> or the path of a stand-in.</param>
    /// <returns>Null, or why that is not possible.</returns>
    public static string? UseCuda(string library)
    {
        lock (Sync)
        {
            Install();
            if (cudaLibrary == library) return null;
            if (cudaLibrary is not null) return $"this process already uses {cudaLibrary}, and ILGPU takes one CUDA library a process";
            if (!NativeLibrary.TryLoad(library, out cuda)) return $"{library} cannot be loaded";
            cudaLibrary = library;
            return null;
        }
    }

    /// <summary>Lets ILGPU find OpenCL's loader under the name that runtime packages give it.</summary>
    public static void Install()
    {
        lock (Sync)
        {
            if (isInstalled || !OperatingSystem.IsLinux() || Directory.Exists(WslLibraries)) return;
            NativeLibrary.SetDllImportResolver(typeof(Context).Assembly, Resolve);
            isInstalled = true;
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) => name switch
    {
        "cuda" when cuda != 0 => cuda,
        "cuda" when NativeLibrary.TryLoad(CudaDriver, out nint handle) => handle,
        "OpenCL" when NativeLibrary.TryLoad("libOpenCL.so.1", out nint handle) => handle,
        _ => 0,
    };
}
