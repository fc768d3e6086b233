using ILGPU.Runtime.Cuda;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Cuda;

/// <summary>
/// An NVIDIA GPU through the handwritten kernels of native/cuda, in ILGPU's context, on its streams and buffers. Compute is bfloat16
/// with sums in fp32, or float32; state is float32, scalars float64; weights, gradients and moments may be bfloat16 as well. Operations are queued and return at once.
/// <para>The same inputs give the same bits on every run: sums have fixed orders that follow from the shapes.</para>
/// </summary>
public sealed partial class CudaDevice : AcceleratorDevice
{
    private readonly CudaContext context;
    private readonly CudaVariants variants;
    private readonly Elementwise elementwise;
    private readonly Norm norm;
    private readonly Rotary rotary;
    private readonly Swiglu swiglu;
    private readonly Embedding embedding;
    private readonly Matmul matmul;
    private readonly Attention attention;
    private readonly LinearCrossEntropy linearCrossEntropy;
    private readonly MmdGaussian mmdGaussian;
    private readonly AdamW adamW;
    private readonly bool isNarrow;

    /// <param name="name">The name that asked for it; see <see cref="CudaDevices"/>.</param>
    /// <param name="runtime">The GPU, or its stand-in.</param>
    /// <param name="compute">Float32 or bfloat16.</param>
    /// <param name="options">Forced kernels, format of weights, graphs.</param>
    /// <exception cref="DeviceException">The driver refuses a kernel, or a kernel is forced that does not exist.</exception>
    internal CudaDevice(string name, AcceleratorRuntime runtime, NumberFormat compute, DeviceOptions options)
        : base(runtime)
    {
        Name = name;
        context = new CudaContext(name, runtime, Stream, compute, NoteScratch, Synchronize);
        try
        {
            variants = new CudaVariants(name, CudaFamilies.List(compute, context.Limits), options.Kernels);
            elementwise = new Elementwise(context);
            matmul = new Matmul(context, variants);
            attention = new Attention(context, variants);
            norm = new Norm(context, variants);
            rotary = new Rotary(context);
            swiglu = new Swiglu(context);
            embedding = new Embedding(context);
            linearCrossEntropy = new LinearCrossEntropy(context, matmul);
            mmdGaussian = new MmdGaussian(context);
            isNarrow = options.StateFormat == NumberFormat.BFloat16;
            if (isNarrow && compute != NumberFormat.BFloat16)
                throw new DeviceException(name, "it keeps weights and moments in float32, not in bfloat16", "Use device cuda");
            adamW = new AdamW(context);
            if (options.CudaGraphs) context.CaptureLaunches();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public override string Name { get; }

    /// <summary>What its kernels share.</summary>
    internal CudaContext Context => context;

    public override string Description => $"{Runtime.Description}, handwritten kernels, {(context.Compute == NumberFormat.Float32 ? "float32" : isNarrow ? "bfloat16, weights and moments too" : "bfloat16")}{(context.Graphs is null ? "" : ", CUDA graphs")}";

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Kernels => variants.Chosen;

    /// <inheritdoc/>
    public override CaptureCounts? Captures => context.Graphs?.Counts;

    /// <inheritdoc/>
    public override PlanningDevice CreatePlanningDevice() => new CudaPlanningDevice(this, new CudaScratch(matmul, attention, norm));

    public override BufferKind ParameterKind => isNarrow ? BufferKind.Compute : BufferKind.State;

    public override NumberFormat FormatOf(BufferKind kind) => kind switch
    {
        BufferKind.Compute => context.Compute,
        BufferKind.Scalar => NumberFormat.Float64,
        BufferKind.Index => NumberFormat.Int32,
        _ => NumberFormat.Float32,
    };

    protected override bool BeginCapture(string name)
    {
        if (context.Graphs is not { } graphs) return false;
        Runtime.Accelerator.Bind();
        return graphs.Begin(name);
    }

    protected internal override void EndCapture() => context.Graphs!.End();

    internal override void InterruptCapture() => context?.Graphs?.Interrupt();

    protected override void Dispose(bool disposing)
    {
        context?.Dispose();
        base.Dispose(disposing);
    }

    internal override string Situation => $"{context.Operation} was the last operation given and {context.LastLaunch} its kernel";
}
