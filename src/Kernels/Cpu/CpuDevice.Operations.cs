namespace RepNoise.Kernels.Cpu;

/// <summary>The contract's operations, handed to the kernels as plain memory.</summary>
public sealed unsafe partial class CpuDevice
{
    protected override void MatmulCore(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias) =>
        kernels.Matmul.Run(View.Of(c), View.Of(a), View.Of(b), form, accumulate, View.Of(bias));

    protected override void BiasBackwardCore(Tensor dBias, Tensor dOutput) => kernels.Norm.AddColumnSums(View.Of(dBias), View.Of(dOutput));

    protected override void RmsNormForwardCore(Tensor output, Tensor rstd, Tensor x, Tensor weight, double epsilon) =>
        kernels.Norm.Forward(View.Of(output), View.Of(rstd), View.Of(x), View.Of(weight), epsilon);

    protected override void AddRmsNormForwardCore(
        Tensor output, Tensor sum, Tensor rstd, Tensor x, Tensor addend, Tensor weight, double epsilon) => kernels.Norm.AddForward(
        View.Of(output), View.Of(sum), View.Of(rstd), View.Of(x), View.Of(addend), View.Of(weight), epsilon);

    protected override void RmsNormBackwardCore(
        Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate) => kernels.Norm.Backward(
        View.Of(dX), View.Of(dWeight), View.Of(dOutput), View.Of(x), View.Of(weight), View.Of(rstd), accumulate);

    protected override void RotaryCore(Tensor x, Tensor cos, Tensor sin, Indices positions, bool inverse) => kernels.Rotary.Run(
        View.Of(x), View.Of(cos), View.Of(sin), View.Numbers(nameof(Rotary), positions, cos.Rows), inverse);

    protected override void SwigluForwardCore(Tensor output, Tensor gate, Tensor up) =>
        kernels.Swiglu.Forward(View.Of(output), View.Of(gate), View.Of(up));

    protected override void SwigluBackwardCore(Tensor dGate, Tensor dUp, Tensor dOutput, Tensor gate, Tensor up) =>
        kernels.Swiglu.Backward(View.Of(dGate), View.Of(dUp), View.Of(dOutput), View.Of(gate), View.Of(up));

    protected override void GatherRowsCore(Tensor output, Tensor table, Indices rows) =>
        kernels.Embedding.Gather(View.Of(output), View.Of(table), View.Numbers(nameof(GatherRows), rows, table.Rows));

    protected override void ScatterAddRowsCore(Tensor dTable, Tensor dOutput, Indices rows, double factor, Tensor deviceFactor) =>
        kernels.Embedding.ScatterAdd(View.Of(dTable), View.Of(dOutput), View.Numbers(nameof(ScatterAddRows), rows, dTable.Rows),
            (float)Combine(factor, deviceFactor));

    protected override void AttentionForwardCore(
        Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape) =>
        kernels.Attention.Forward(new AttentionBatch(View.Of(q), View.Of(k), View.Of(v), plan, shape), View.Of(output), View.Of(lse));

    protected override void AttentionBackwardCore(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape) => kernels.Attention.Backward(
        new AttentionBatch(View.Of(q), View.Of(k), View.Of(v), plan, shape),
        View.Of(dQ), View.Of(dK), View.Of(dV), View.Of(dOutput), View.Of(output), View.Of(lse));

    protected override void LinearCrossEntropyCore(
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace) =>
        kernels.LinearCrossEntropy.Run(View.Of(losses), View.Of(x), View.Of(weight),
            View.Numbers(nameof(LinearCrossEntropy), targets, weight.Rows), repeats.IsEmpty ? null : View.Numbers(repeats), gradientFactor, View.Of(dX), View.Of(dWeight), View.Of(workspace));

    protected internal override long MmdScratchLength(int maxPairs, int maxRows) => MmdGaussian.ScratchLength(maxPairs, maxRows);

    protected override void MmdGaussianForwardCore(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise) =>
        kernels.MmdGaussian.Forward(View.Scalars(mmd), View.Scalars(coefficients), coefficients.RowStride, View.Of(x), plan,
            new MmdBatch(plan, noise), (double*)((CpuBuffer)plan.Scratch).Memory);

    protected override void MmdGaussianBackwardCore(
        Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor) => kernels.MmdGaussian.Backward(
        View.Of(dX), View.Scalars(coefficients), coefficients.RowStride, View.Of(x), new MmdBatch(plan, noise), factor);

    protected override void AdamWCore(
        Tensor master, Tensor copy, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor) => kernels.AdamW.Run(
        View.Of(master), View.Of(copy), View.Of(gradient), View.Of(m), View.Of(v), step, *View.Scalars(gradientFactor));

    protected override void AddSquaredNormCore(Tensor result, Tensor gradient) =>
        *View.Scalars(result) += kernels.Elementwise.Sum(View.Of(gradient), squared: true);

    protected override void ClipFactorCore(Tensor result, Tensor squaredNorm, double maxNorm, double scale)
    {
        NoteScalars(read: 1, written: 2);
        const double Epsilon = 1e-6; // as torch's clip_grad_norm_
        double norm = scale * Math.Sqrt(*View.Scalars(squaredNorm));
        double clip = maxNorm == 0 ? 1 : Math.Min(1, maxNorm / (norm + Epsilon));
        double* to = View.Scalars(result);
        (to[0], to[1]) = (norm, scale * clip);
    }

    protected override void AscentValueCore(Tensor result, Tensor terms, double divisor, double offset)
    {
        NoteScalars(read: 0, written: 2);
        double ascent = SumOfScalars(terms) / divisor + offset;
        double* to = View.Scalars(result);
        (to[0], to[1]) = (ascent, 1 / ascent);
    }

    /// <summary>factor, times the device's factor where there is one.</summary>
    private static double Combine(double factor, Tensor deviceFactor) =>
        deviceFactor.IsEmpty ? factor : factor * (IsScalar(deviceFactor) ? *View.Scalars(deviceFactor) : *View.Of(deviceFactor).Data);
}
