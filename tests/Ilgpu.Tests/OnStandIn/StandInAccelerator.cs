using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Ilgpu.Tests;

/// <summary>ILGPU's own CUDA accelerator, unchanged, on the libcuda stand-in: ILGPU compiles a kernel to PTX, the stand-in executes and checks it.</summary>
internal static class StandInAccelerator
{
    /// <summary>The two ends of ILGPU's optimisation, each with every call inlined and with none.</summary>
    public static readonly IReadOnlyDictionary<string, (OptimizationLevel Level, InliningMode Inlining)> Modes =
        new Dictionary<string, (OptimizationLevel, InliningMode)>
        {
            ["debug, inlined"] = (OptimizationLevel.Debug, InliningMode.Aggressive),
            ["debug, calls"] = (OptimizationLevel.Debug, InliningMode.Disabled),
            ["O2, inlined"] = (OptimizationLevel.O2, InliningMode.Aggressive),
            ["O2, calls"] = (OptimizationLevel.O2, InliningMode.Disabled),
        };

    private static readonly Dictionary<string, Context> Contexts = [];

    /// <summary>Kept from the finalizer, which would end their contexts again.</summary>
    private static readonly List<CudaAccelerator> Abandoned = [];

    /// <summary>A new accelerator of a mode: a kernel's fault breaks the one that it ran on, as on a GPU.</summary>
    /// <param name="mode">A key of <see cref="Modes"/>.</param>
    public static CudaAccelerator Create(string mode)
    {
        string? standIn = DriverLibraries.FindStandIn(out string reason);
        if (standIn is null) Assert.Skip(reason);
        Assert.Null(DriverLibraries.UseCuda(standIn));
        lock (Contexts)
        {
            if (!Contexts.TryGetValue(mode, out var context))
            {
                var (level, inlining) = Modes[mode];
                context = Context.Create(builder => builder.Cuda().EnableAlgorithms().Profiling().Optimize(level).Inlining(inlining));
                Contexts.Add(mode, context);
            }

            return context.CreateCudaAccelerator(0);
        }
    }

    /// <summary>Ends the context that a fault has broken, so that the next accelerator starts clean. Nothing of this one can be disposed of.</summary>
    public static void Abandon(CudaAccelerator accelerator)
    {
        Assert.Equal(CudaError.CUDA_SUCCESS, CudaAPI.CurrentAPI.DestroyContext(accelerator.NativePtr));
        lock (Contexts) Abandoned.Add(accelerator);
    }
}
