using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Cuda;

/// <summary>The contract's operations, handed to the families' kernels. Row numbers are checked on the host's copy of them.</summary>
public sealed partial class CudaDevice
{
    public override string? RefuseAttention(AttentionShape shape) => attention.Refuse(shape);

    protected override void FillCore(Tensor target, double value) => Begin(nameof(Fill), elementwise).Fill(target, value);

    protected override void CopyCore(Tensor target, Tensor source) => Begin(nameof(Copy), elementwise).Copy(target, source);

    protected override void AddScaledCore(Tensor target, Tensor source, double factor, Tensor deviceFactor) =>
        Begin(nameof(AddScaled), elementwise).AddScaled(target, source, factor, deviceFactor);

    protected override void SumIntoCore(Tensor result, Tensor values, double factor, double constant) =>
        Begin(nameof(SumInto), elementwise).Sum(result, values, factor, constant);

    protected override void AscentValueCore(Tensor result, Tensor terms, double divisor, double offset) =>
        Begin(nameof(AscentValue), elementwise).AscentValue(result, terms, divisor, offset);

    protected override void AddSquaredNormCore(Tensor result, Tensor gradient) =>
        Begin(nameof(AddSquaredNorm), elementwise).AddSquares(result, gradient);

    protected override void ClipFactorCore(Tensor result, Tensor squaredNorm, double maxNorm, double scale) =>
        Begin(nameof(ClipFactor), elementwise).ClipFactor(result, squaredNorm, maxNorm, scale);

    protected override void AdamWCore(
        Tensor master, Tensor copy, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor) =>
        Begin(nameof(AdamW), adamW).Run(master, copy, gradient, m, v, step, gradientFactor);

    protected override void MatmulCore(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias) =>
        Begin(nameof(Matmul), matmul).Run(c, a, b, form, accumulate, bias);

    protected override void BiasBackwardCore(Tensor dBias, Tensor dOutput) => Begin(nameof(BiasBackward), norm).AddColumnSums(dBias, dOutput);

    protected override void RmsNormForwardCore(Tensor output, Tensor rstd, Tensor x, Tensor weight, double epsilon) =>
        Begin(nameof(RmsNormForward), norm).Forward(output, rstd, x, weight, epsilon);

    protected override void AddRmsNormForwardCore(
        Tensor output, Tensor sum, Tensor rstd, Tensor x, Tensor addend, Tensor weight, double epsilon) =>
        Begin(nameof(AddRmsNormForward), norm).AddForward(output, sum, rstd, x, addend, weight, epsilon);

    protected override void RmsNormBackwardCore(
        Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate) =>
        Begin(nameof(RmsNormBackward), norm).Backward(dX, dWeight, dOutput, x, weight, rstd, accumulate);

    protected override void RotaryCore(Tensor x, Tensor cos, Tensor sin, Indices positions, bool inverse) =>
        Begin(nameof(Rotary), rotary).Run(x, cos, sin, Checked(nameof(Rotary), positions, cos.Rows), inverse);

    protected override void SwigluForwardCore(Tensor output, Tensor gate, Tensor up) =>
        Begin(nameof(SwigluForward), swiglu).Forward(output, gate, up);

    protected override void SwigluBackwardCore(Tensor dGate, Tensor dUp, Tensor dOutput, Tensor gate, Tensor up) =>
        Begin(nameof(SwigluBackward), swiglu).Backward(dGate, dUp, dOutput, gate, up);

    protected override void GatherRowsCore(Tensor output, Tensor table, Indices rows) =>
        Begin(nameof(GatherRows), embedding).Gather(output, table, Checked(nameof(GatherRows), rows, table.Rows));

    protected override void ScatterAddRowsCore(Tensor dTable, Tensor dOutput, Indices rows, double factor, Tensor deviceFactor)
    {
        Checked(nameof(ScatterAddRows), rows, dTable.Rows);
        var runs = RowRuns.Beside(rows);
        if (!runs.Are(rows)) UploadRuns(runs, rows);
        Begin(nameof(ScatterAddRows), embedding).ScatterAdd(dTable, dOutput, runs, factor, deviceFactor);
    }

    /// <summary>Numbers that rows were scattered by come with their runs: uploads are outside of what is captured, operations are not.</summary>
    protected override void UploadCore(ReadOnlySpan<int> source, Indices target)
    {
        base.UploadCore(source, target);
        if (target.Buffer.Companion is RowRuns runs) UploadRuns(runs, target);
    }

    protected override void AttentionForwardCore(
        Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape) =>
        Begin(nameof(AttentionForward), attention).Forward(output, lse, q, k, v, plan, shape);

    protected override void AttentionBackwardCore(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape) =>
        Begin(nameof(AttentionBackward), attention).Backward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);

    /// <summary>Whole 16 bytes: rows that start elsewhere are multiplied value by value.</summary>
    protected internal override int LogitsStride(int vocabulary)
    {
        int step = 16 / FormatOf(BufferKind.Compute).Size();
        return (int)Packs.Blocks(vocabulary, step) * step;
    }

    public override bool StoresLogits(Tensor x, Tensor weight) => !matmul.SumsLogits(x, weight);

    protected override void LinearCrossEntropyCore(
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace) =>
        Begin(nameof(LinearCrossEntropy), linearCrossEntropy).Run(
            losses, x, weight, Checked(nameof(LinearCrossEntropy), targets, weight.Rows), repeats, gradientFactor, dX, dWeight, workspace);

    protected internal override long MmdScratchLength(int maxPairs, int maxRows) => maxPairs <= MmdGaussian.MostPairs
        ? MmdGaussian.ScratchLength(maxPairs, maxRows)
        : throw new DeviceException(Name, $"{maxPairs} pairs in one batch, where the noise term takes {MmdGaussian.MostPairs} at most", "Use smaller batches, and gradient accumulation");

    protected override void MmdGaussianForwardCore(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise) =>
        Begin(nameof(MmdGaussianForward), mmdGaussian).Forward(mmd, coefficients, x, plan, noise);

    protected override void MmdGaussianBackwardCore(
        Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor) =>
        Begin(nameof(MmdGaussianBackward), mmdGaussian).Backward(dX, coefficients, x, plan, noise, factor);

    private void UploadRuns(RowRuns runs, Indices rows)
    {
        var (words, target) = runs.Sort(rows);
        base.UploadCore(words.Span, target);
    }

    /// <summary>The kernels of an operation, whose name errors will carry.</summary>
    private T Begin<T>(string operation, T kernels)
    {
        context.Operation = operation;
        return kernels;
    }

    private static Indices Checked(string operation, Indices indices, int limit)
    {
        var values = ((AcceleratorBuffer)indices.Buffer).HostIndices.AsSpan((int)indices.Offset, indices.Count);
        foreach (int value in values) Check.That((uint)value < (uint)limit, operation, $"row number {value}", $"0 to {limit - 1}");
        return indices;
    }
}
