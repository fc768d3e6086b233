using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>What a driver's refusal means: one that lacks memory asks for a smaller model, any other for its name.</summary>
internal static class DriverErrors
{
    /// <summary>True where the driver has no memory left, and for nothing else.</summary>
    public static bool IsOutOfMemory(Exception error) => error switch
    {
        OutOfMemoryException => true,
        CudaException cuda => cuda.Error == CudaError.CUDA_ERROR_OUT_OF_MEMORY.ToString(),
        CLException cl => cl.Error is CLError.CL_MEM_OBJECT_ALLOCATION_FAILURE or CLError.CL_OUT_OF_RESOURCES or CLError.CL_OUT_OF_HOST_MEMORY,
        _ => false,
    };

    /// <summary>The error's name and the driver's words: <c>CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure</c>.</summary>
    public static string Describe(Exception error)
    {
        string name = error switch
        {
            CudaException cuda => cuda.Error,
            CLException cl => cl.Error.ToString(),
            _ => "",
        };
        string text = error.Message.Trim();
        return name.Length == 0 || text.Contains(name, StringComparison.Ordinal) ? text : $"{name}: {text}";
    }

    /// <summary>The error of an allocation that a driver refused.</summary>
    /// <param name="device">Named in it.</param>
    /// <param name="error">The driver's.</param>
    /// <param name="asked">What was asked for, as a clause: <c>70 elements are asked for weights</c>.</param>
    /// <param name="situation">What the device did before; empty for nothing.</param>
    public static DeviceException OfAllocation(string device, Exception error, string asked, string situation) => IsOutOfMemory(error)
        ? TooMuch(device, asked)
        : new DeviceException(
            device, $"{asked}, and the driver answers {Describe(error)}{(situation.Length > 0 ? $" ({situation})" : "")}",
            "An earlier operation may have failed; run again on device cpu to tell a fault of the device from one of the data");

    /// <summary>The error of an allocation that no memory is left for.</summary>
    public static DeviceException TooMuch(string device, string asked) =>
        new(device, $"{asked}, more than it has memory for", "Use a smaller model or batch, or free memory");
}
