namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Plans the CPU device: the kernels themselves run in a dry context, which counts the scratch that they ask for and runs no
/// part. Only the operations with scratch are here.
/// </summary>
internal sealed unsafe class CpuPlanningDevice : PlanningDevice
{
    private readonly CpuDevice modelled;
    private readonly CpuContext context;
    private readonly CpuKernels kernels;

    /// <param name="modelled">The device that is planned for.</param>
    /// <param name="options">Its options.</param>
    public CpuPlanningDevice(CpuDevice modelled, DeviceOptions options)
        : base(modelled)
    {
        this.modelled = modelled;
        context = new CpuContext(options.Threads, NoteScratch, isDry: true);
        kernels = new CpuKernels(context, options.Kernels);
    }

    protected override void MatmulCore(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias) =>
        kernels.Matmul.Run(Shape(c), Shape(a), Shape(b), form, accumulate, Shape(bias));

    protected override void RmsNormBackwardCore(
        Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate) =>
        kernels.Norm.Backward(Shape(dX), Shape(dWeight), Shape(dOutput), Shape(x), Shape(weight), Shape(rstd), accumulate);

    protected override void AttentionForwardCore(
        Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
        using var copy = InMemory(plan);
        kernels.Attention.Forward(new AttentionBatch(Shape(q), Shape(k), Shape(v), copy, shape), Shape(output), Shape(lse));
    }

    protected override void AttentionBackwardCore(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        using var copy = InMemory(plan);
        kernels.Attention.Backward(new AttentionBatch(Shape(q), Shape(k), Shape(v), copy, shape),
            Shape(dQ), Shape(dK), Shape(dV), Shape(dOutput), Shape(output), Shape(lse));
    }

    protected override void LinearCrossEntropyCore(
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace) =>
        kernels.LinearCrossEntropy.Run(
            Shape(losses), Shape(x), Shape(weight), null, null, gradientFactor, Shape(dX), Shape(dWeight), Shape(workspace));

    protected override void MmdGaussianForwardCore(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise) =>
        kernels.MmdGaussian.Draws(plan.PairCount);

    protected override void MmdGaussianBackwardCore(
        Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor) =>
        kernels.MmdGaussian.Draws(plan.PairCount);

    protected override void SumIntoCore(Tensor result, Tensor values, double factor, double constant) => Sum(values);

    protected override void AddSquaredNormCore(Tensor result, Tensor gradient) => Sum(gradient);

    protected override void Dispose(bool disposing)
    {
        context.Dispose();
        base.Dispose(disposing);
    }

    private void Sum(Tensor values)
    {
        if (values.Buffer.Kind != BufferKind.Scalar) kernels.Elementwise.Partials(Shape(values));
    }

    /// <summary>A tensor's shape at an address that no part ever reads; none for no tensor, as kernels tell them apart.</summary>
    private static View Shape(Tensor tensor) =>
        tensor.IsEmpty ? default : new View((float*)sizeof(float), tensor.Rows, tensor.Columns, tensor.RowStride);

    /// <summary>A plan whose segments lie where kernels read them.</summary>
    private AttentionPlan InMemory(AttentionPlan plan)
    {
        var copy = new AttentionPlan(modelled, plan.Segments.Length, plan.QueryRows);
        copy.Load(plan.Segments, plan.Positions);
        return copy;
    }
}
