namespace RepNoise.Kernels.Cuda;

/// <summary>What the operations of a CUDA device ask of its scratch memory.</summary>
internal sealed record CudaScratch(Matmul Matmul, Attention Attention, Norm Norm);

/// <summary>Plans a CUDA device: the operations with scratch say how much, computed as the device itself computes it.</summary>
internal sealed class CudaPlanningDevice(CudaDevice modelled, CudaScratch scratch) : PlanningDevice(modelled)
{
    private long taken;

    protected override void MatmulCore(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias) => Product(a, b, form);

    protected override void BiasBackwardCore(Tensor dBias, Tensor dOutput) => Take(Norm.ScratchBytes(dOutput.Columns));

    protected override void RmsNormBackwardCore(
        Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate) =>
        Take(scratch.Norm.BackwardScratchBytes(dX, dOutput, x, weight, rstd));

    protected override void ScatterAddRowsCore(Tensor dTable, Tensor dOutput, Indices rows, double factor, Tensor deviceFactor) => RowRuns.Beside(rows);

    protected override void AttentionBackwardCore(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape) =>
        Take(scratch.Attention.BackwardScratchBytes(plan, shape));

    protected override void LinearCrossEntropyCore(
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace)
    {
        for (int start = 0; start < x.Rows; start += workspace.Rows)
        {
            int count = Math.Min(workspace.Rows, x.Rows - start);
            Tensor rows = x.RowRange(start, count), logits = workspace.RowRange(0, count);
            if (scratch.Matmul.LogitsTile(rows, weight) is null) Product(rows, weight, MatmulForm.NT);
            Take(RowSums.Bytes(workspace));
            if (dX.IsEmpty) continue;
            Product(logits, weight, MatmulForm.NN);
            if (!dWeight.IsEmpty) Product(logits, rows, MatmulForm.TN);
        }
    }

    protected override void SumIntoCore(Tensor result, Tensor values, double factor, double constant) => Take(Elementwise.ScratchBytes);

    protected override void AddSquaredNormCore(Tensor result, Tensor gradient) => Take(Elementwise.ScratchBytes);

    private void Product(Tensor a, Tensor b, MatmulForm form) => Take(scratch.Matmul.ScratchBytes(a, b, form));

    /// <summary>As the device's scratch memory grows: the old one is given back first.</summary>
    private void Take(long bytes)
    {
        if (bytes <= taken) return;
        NoteScratch(-taken);
        NoteScratch(bytes);
        taken = bytes;
    }
}
