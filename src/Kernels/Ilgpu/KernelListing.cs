using System.Reflection;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>
/// What ILGPU makes of every kernel in C#: PTX for compute capability 8.0, the highest that ILGPU writes for, and OpenCL C.
/// No device is needed.
/// </summary>
public sealed class KernelListing : IDisposable
{
    /// <summary>Compute capability and PTX version of the listings.</summary>
    private static readonly CudaArchitecture Architecture = new(8, 0);

    private static readonly Type[] Families =
    [
        typeof(ElementwiseCode), typeof(SumsCode), typeof(EmbeddingCode), typeof(NormCode), typeof(RotaryCode), typeof(MatmulCode),
        typeof(AttentionForwardCode), typeof(AttentionBackwardCode), typeof(SwigluCode), typeof(LinearCrossEntropyCode),
        typeof(MmdGaussianCode), typeof(AdamWCode),
    ];

    // A context wants a device; the CPU accelerator's is always there and never opened.
    private readonly Context context = Context.Create(
        builder => builder.CPU(new CPUDevice(32, 2, 1)).Optimize(OptimizationLevel.O2).EnableAlgorithms());

    private readonly PTXBackend ptx;
    private readonly CLBackend openCL;

    public KernelListing()
    {
        ptx = new PTXBackend(context, new CudaCapabilityContext(Architecture), Architecture, CudaInstructionSet.ISA_80, null);
        openCL = new CLBackend(context, OpenCLCapabilities(), CLDeviceVendor.Other, CLCVersion.CL30);
    }

    /// <summary>Every kernel as <c>family.kernel</c>: the public methods of the classes in <c>Code/</c>.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Families.SelectMany(Kernels).Select(NameOf)];

    /// <summary>A kernel as PTX.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public string Ptx(string name) =>
        ((PTXCompiledKernel)ptx.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(Find(name)), KernelSpecialization.Empty)).PTXAssembly;

    /// <summary>A kernel as OpenCL C.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public string OpenCL(string name) =>
        ((CLCompiledKernel)openCL.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(Find(name)), KernelSpecialization.Empty)).Source;

    public void Dispose()
    {
        ptx.Dispose();
        openCL.Dispose();
        context.Dispose();
    }

    private static MethodInfo[] Kernels(Type family) => family.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly);

    private static string NameOf(MethodInfo kernel) => $"{kernel.DeclaringType!.Name[..^"Code".Length]}.{kernel.Name}";

    private static MethodInfo Find(string name) => Families.SelectMany(Kernels).Single(kernel => NameOf(kernel) == name);

    /// <summary>Capabilities that the device must have: doubles, the generic address space and nothing else.</summary>
    private static CLCapabilityContext OpenCLCapabilities()
    {
        var constructor = typeof(CLCapabilityContext).GetConstructors().Single();
        string[] wanted = ["float64", "genericAddressSpace"];
        object[] values = [.. constructor.GetParameters().Select(parameter => (object)wanted.Contains(parameter.Name, StringComparer.OrdinalIgnoreCase))];
        return (CLCapabilityContext)constructor.Invoke(values);
    }
}
