using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using RepNoise.Kernels.Ilgpu;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>A driver's refusal is told by its own name; only a lack of memory is called one.</summary>
public sealed class DriverErrorTests
{
    [Fact]
    public void A_lack_of_memory_asks_for_a_smaller_model()
    {
        Assert.True(DriverErrors.IsOutOfMemory(new CudaException(CudaError.CUDA_ERROR_OUT_OF_MEMORY)));
        Assert.True(DriverErrors.IsOutOfMemory(new CLException(CLError.CL_MEM_OBJECT_ALLOCATION_FAILURE)));
        using var device = CudaTestDevices.Float32();
        var error = Assert.Throws<DeviceException>(() => device.Allocate(BufferKind.State, 1L << 50, "weights"));
        Assert.Contains("elements are asked for weights, more than it has memory for", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_error_is_told_by_its_name()
    {
        var cause = new CudaException(CudaError.CUDA_ERROR_ILLEGAL_ADDRESS);
        Assert.False(DriverErrors.IsOutOfMemory(cause));
        var error = DriverErrors.OfAllocation("cuda", cause, "70 elements are asked for weights", "norm was the last kernel");
        Assert.Contains("70 elements are asked for weights, and the driver answers CUDA_ERROR_ILLEGAL_ADDRESS", error.Message, StringComparison.Ordinal);
        Assert.Contains("norm was the last kernel", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("memory for", error.Message, StringComparison.Ordinal);
        Assert.Contains("CL_INVALID_BUFFER_SIZE", DriverErrors.Describe(new CLException(CLError.CL_INVALID_BUFFER_SIZE)), StringComparison.Ordinal);
    }
}
