namespace RepNoise.Kernels;

/// <summary>
/// Stands in for a device to learn what it would hand out: buffers have the sizes of the modelled device's and no memory,
/// operations check their arguments as always and compute nothing. So the very code that will train is planned, in moments and
/// for models of any size. Downloads give zeros.
/// <para>Backends that keep scratch of their own derive from it and count that scratch in the operations that need it (see
/// <see cref="Device.CreatePlanningDevice"/>).</para>
/// </summary>
/// <param name="modelled">The device that is planned for; stays the caller's.</param>
public class PlanningDevice(Device modelled) : Device
{
    public override string Name => modelled.Name;

    public override string Description => modelled.Description;

    public override BufferKind ParameterKind => modelled.ParameterKind;

    public override NumberFormat FormatOf(BufferKind kind) => modelled.FormatOf(kind);

    public override string? RefuseAttention(AttentionShape shape) => modelled.RefuseAttention(shape);

    public override bool StoresLogits(Tensor x, Tensor weight) => modelled.StoresLogits(x, weight);

    protected internal override long AllocationSize(long bytes) => modelled.AllocationSize(bytes);

    protected internal override int UsefulLogitsRows(int vocabulary) => modelled.UsefulLogitsRows(vocabulary);

    protected internal override int LogitsStride(int vocabulary) => modelled.LogitsStride(vocabulary);

    protected internal override long MmdScratchLength(int maxPairs, int maxRows) => modelled.MmdScratchLength(maxPairs, maxRows);

    protected override DeviceBuffer AllocateCore(BufferKind kind, long length, string category) =>
        new PlannedBuffer(this, kind, length, category);

    protected override void UploadCore(ReadOnlySpan<float> source, Tensor target)
    {
    }

    protected override void UploadCore(ReadOnlySpan<double> source, Tensor target)
    {
    }

    protected override void UploadCore(ReadOnlySpan<int> source, Indices target)
    {
    }

    protected override void DownloadCore(Tensor source, Span<float> target) => target.Clear();

    protected override void DownloadCore(Tensor source, Span<double> target) => target.Clear();

    protected override void FillCore(Tensor target, double value)
    {
    }

    protected override void CopyCore(Tensor target, Tensor source)
    {
    }

    protected override void AddScaledCore(Tensor target, Tensor source, double factor, Tensor deviceFactor)
    {
    }

    protected override void SumIntoCore(Tensor result, Tensor values, double factor, double constant)
    {
    }

    protected override void AscentValueCore(Tensor result, Tensor terms, double divisor, double offset)
    {
    }

    protected override void MatmulCore(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias)
    {
    }

    protected override void BiasBackwardCore(Tensor dBias, Tensor dOutput)
    {
    }

    protected override void RmsNormForwardCore(Tensor output, Tensor rstd, Tensor x, Tensor weight, double epsilon)
    {
    }

    protected override void AddRmsNormForwardCore(
        Tensor output, Tensor sum, Tensor rstd, Tensor x, Tensor addend, Tensor weight, double epsilon)
    {
    }

    protected override void RmsNormBackwardCore(
        Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate)
    {
    }

    protected override void RotaryCore(Tensor x, Tensor cos, Tensor sin, Indices positions, bool inverse)
    {
    }

    protected override void SwigluForwardCore(Tensor output, Tensor gate, Tensor up)
    {
    }

    protected override void SwigluBackwardCore(Tensor dGate, Tensor dUp, Tensor dOutput, Tensor gate, Tensor up)
    {
    }

    protected override void GatherRowsCore(Tensor output, Tensor table, Indices rows)
    {
    }

    protected override void ScatterAddRowsCore(Tensor dTable, Tensor dOutput, Indices rows, double factor, Tensor deviceFactor)
    {
    }

    protected override void AttentionForwardCore(
        Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
    }

    protected override void AttentionBackwardCore(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
    }

    protected override void LinearCrossEntropyCore(
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace)
    {
    }

    protected override void MmdGaussianForwardCore(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise)
    {
    }

    protected override void MmdGaussianBackwardCore(
        Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor)
    {
    }

    protected override void AddSquaredNormCore(Tensor result, Tensor gradient)
    {
    }

    protected override void ClipFactorCore(Tensor result, Tensor squaredNorm, double maxNorm, double scale)
    {
    }

    protected override void AdamWCore(
        Tensor master, Tensor copy, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor)
    {
    }

    /// <summary>A buffer's size without its memory.</summary>
    private sealed class PlannedBuffer(Device device, BufferKind kind, long length, string category)
        : DeviceBuffer(device, kind, length, category)
    {
        private bool isReleased;

        protected override void Dispose(bool disposing)
        {
            if (!isReleased) Device.NoteReleased(this);
            isReleased = true;
        }
    }
}
