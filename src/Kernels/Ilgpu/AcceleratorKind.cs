namespace RepNoise.Kernels.Ilgpu;

/// <summary>What ILGPU compiles kernels for.</summary>
internal enum AcceleratorKind
{
    /// <summary>ILGPU's CPU accelerator, one thread of the system per thread of a kernel: for a debugger, not for speed.</summary>
    Cpu,

    OpenCL,

    Cuda,

    /// <summary>ILGPU's CUDA backend on the libcuda stand-in, which executes the PTX and checks it.</summary>
    CudaSim,
}
