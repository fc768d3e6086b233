using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>The kernels as an accelerator launches them, each compiled when it is first asked for and kept with the runtime.</summary>
internal sealed class IlgpuKernels(AcceleratorRuntime runtime)
{
    private readonly Accelerator accelerator = runtime.Accelerator;

    public Action<AcceleratorStream, KernelConfig, Matrix, float> Fill =>
        field ??= accelerator.LoadKernel<Matrix, float>(ElementwiseCode.Fill);

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, double> FillScalars =>
        field ??= accelerator.LoadKernel<ScalarMatrix, double>(ElementwiseCode.FillScalars);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix> Copy =>
        field ??= accelerator.LoadKernel<Matrix, Matrix>(ElementwiseCode.Copy);

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix> CopyScalars =>
        field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix>(ElementwiseCode.CopyScalars);

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, Matrix> Widen =>
        field ??= accelerator.LoadKernel<ScalarMatrix, Matrix>(ElementwiseCode.Widen);

    public Action<AcceleratorStream, KernelConfig, Matrix, ScalarMatrix> Round =>
        field ??= accelerator.LoadKernel<Matrix, ScalarMatrix>(ElementwiseCode.Round);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, DeviceFactor> AddScaled =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, DeviceFactor>(ElementwiseCode.AddScaled);

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, DeviceFactor> AddScaledScalars =>
        field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, DeviceFactor>(ElementwiseCode.AddScaledScalars);

    public Action<AcceleratorStream, KernelConfig, ArrayView<double>, Matrix, int> PartialSums =>
        field ??= accelerator.LoadKernel<ArrayView<double>, Matrix, int>(SumsCode.Partial);

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, double, double, int> FinalSum =>
        field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, double, double, int>(SumsCode.Final);

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, double, double> Ascent =>
        field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, double, double>(SumsCode.Ascent);

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, double, double> ClipFactor =>
        field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, double, double>(SumsCode.ClipFactor);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, float> NormForward =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, float>(NormCode.Forward);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, int> NormBackward =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix, int>(NormCode.Backward);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, int, int, int> ColumnSums =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, int, int, int>(NormCode.ColumnSums);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix> AddColumnSums =>
        field ??= accelerator.LoadKernel<Matrix, Matrix>(NormCode.AddColumnSums);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, ArrayView<int>, float> Rotary =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, ArrayView<int>, float>(RotaryCode.Turn);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix> SwigluForward =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix>(SwigluCode.Forward);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix> SwigluBackward =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix>(SwigluCode.Backward);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, ArrayView<int>> Gather =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, ArrayView<int>>(EmbeddingCode.Gather);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, ArrayView<int>, DeviceFactor> ScatterAdd =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, ArrayView<int>, DeviceFactor>(EmbeddingCode.ScatterAdd);

    public Action<AcceleratorStream, KernelConfig, MatmulOperand, MatmulOperand, Matrix, ArrayView<float>, int, int, int> Tile128 =>
        field ??= accelerator.LoadKernel<MatmulOperand, MatmulOperand, Matrix, ArrayView<float>, int, int, int>(MatmulCode.Tile128);

    public Action<AcceleratorStream, KernelConfig, MatmulOperand, MatmulOperand, Matrix, ArrayView<float>, int, int, int> Tile64 =>
        field ??= accelerator.LoadKernel<MatmulOperand, MatmulOperand, Matrix, ArrayView<float>, int, int, int>(MatmulCode.Tile64);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, ArrayView<int>, ArrayView<int>, int,
        AttentionSizes> AttentionForward => field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix, ArrayView<int>,
            ArrayView<int>, int, AttentionSizes>(AttentionForwardCode.Forward);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, ArrayView<int>,
        ArrayView<int>, int, AttentionSizes> AttentionQueries => field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix,
            Matrix, Matrix, ArrayView<int>, ArrayView<int>, int, AttentionSizes>(AttentionBackwardCode.Queries);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, ArrayView<int>,
        ArrayView<int>, int, AttentionSizes> AttentionKeys => field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix,
            Matrix, Matrix, Matrix, ArrayView<int>, ArrayView<int>, int, AttentionSizes>(AttentionBackwardCode.Keys);

    public Action<AcceleratorStream, KernelConfig, ArrayView<float>, Matrix, ArrayView<int>, float, int> CrossEntropyRows =>
        field ??= accelerator.LoadKernel<ArrayView<float>, Matrix, ArrayView<int>, float, int>(LinearCrossEntropyCode.Rows);

    public Action<AcceleratorStream, KernelConfig, ArrayView<double>, Matrix, Matrix, MmdEntries, int> MmdDistances =>
        field ??= accelerator.LoadKernel<ArrayView<double>, Matrix, Matrix, MmdEntries, int>(MmdGaussianCode.Distances);

    public Action<AcceleratorStream, KernelConfig, ArrayView<double>, ArrayView<double>, int, int> MmdSumDistances =>
        field ??= accelerator.LoadKernel<ArrayView<double>, ArrayView<double>, int, int>(MmdGaussianCode.SumDistances);

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, ArrayView<double>, int> MmdFinish =>
        field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, ArrayView<double>, int>(MmdGaussianCode.Finish);

    public Action<AcceleratorStream, KernelConfig, Matrix, ScalarMatrix, Matrix, Matrix, MmdEntries, int, float> MmdBackward =>
        field ??= accelerator.LoadKernel<Matrix, ScalarMatrix, Matrix, Matrix, MmdEntries, int, float>(MmdGaussianCode.Backward);

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, AdamWFactors, ArrayView<double>, int> AdamW =>
        field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix, AdamWFactors, ArrayView<double>, int>(AdamWCode.Update);
}
