using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>The kernels as an accelerator launches them, each compiled when it is first asked for and kept with the runtime.</summary>
internal sealed class IlgpuKernels(AcceleratorRuntime runtime)
{
    private readonly Accelerator accelerator = runtime.Accelerator;

    /// <summary>
    /// The kernel that was asked for last, of whatever device: which one it was when a fault in a kernel ends the process, as it
    /// does on the CPU accelerator.
    /// </summary>
    public static string LastRequested { get; private set; } = "none";

    public Action<AcceleratorStream, KernelConfig, Matrix, float> Fill =>
        Named(field ??= accelerator.LoadKernel<Matrix, float>(ElementwiseCode.Fill));

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, double> FillScalars =>
        Named(field ??= accelerator.LoadKernel<ScalarMatrix, double>(ElementwiseCode.FillScalars));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix> Copy =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix>(ElementwiseCode.Copy));

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix> CopyScalars =>
        Named(field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix>(ElementwiseCode.CopyScalars));

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, Matrix> Widen =>
        Named(field ??= accelerator.LoadKernel<ScalarMatrix, Matrix>(ElementwiseCode.Widen));

    public Action<AcceleratorStream, KernelConfig, Matrix, ScalarMatrix> Round =>
        Named(field ??= accelerator.LoadKernel<Matrix, ScalarMatrix>(ElementwiseCode.Round));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, DeviceFactor> AddScaled =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, DeviceFactor>(ElementwiseCode.AddScaled));

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, DeviceFactor> AddScaledScalars =>
        Named(field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, DeviceFactor>(ElementwiseCode.AddScaledScalars));

    public Action<AcceleratorStream, KernelConfig, ArrayView<double>, Matrix, int> PartialSums =>
        Named(field ??= accelerator.LoadKernel<ArrayView<double>, Matrix, int>(SumsCode.Partial));

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, double, double, int> FinalSum =>
        Named(field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, double, double, int>(SumsCode.Final));

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, double, double> Ascent =>
        Named(field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, double, double>(SumsCode.Ascent));

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, double, double> ClipFactor =>
        Named(field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, double, double>(SumsCode.ClipFactor));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, float> NormForward =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, float>(NormCode.Forward));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, float> AddNormForward =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, float>(NormCode.AddForward));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, int> NormBackward =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix, int>(NormCode.Backward));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, int, int, int> ColumnSums =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, int, int, int>(NormCode.ColumnSums));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix> AddColumnSums =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix>(NormCode.AddColumnSums));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, ArrayView<int>, float> Rotary =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, ArrayView<int>, float>(RotaryCode.Turn));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix> SwigluForward =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix>(SwigluCode.Forward));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix> SwigluBackward =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix>(SwigluCode.Backward));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, ArrayView<int>> Gather =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, ArrayView<int>>(EmbeddingCode.Gather));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, ArrayView<int>, DeviceFactor> ScatterAdd =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, ArrayView<int>, DeviceFactor>(EmbeddingCode.ScatterAdd));

    public Action<AcceleratorStream, KernelConfig, MatmulOperand, MatmulOperand, Matrix, ArrayView<float>, int, int, int, int> Tile128 =>
        Named(field ??= accelerator.LoadKernel<MatmulOperand, MatmulOperand, Matrix, ArrayView<float>, int, int, int, int>(MatmulCode.Tile128));

    public Action<AcceleratorStream, KernelConfig, MatmulOperand, MatmulOperand, Matrix, ArrayView<float>, int, int, int, int> Tile64 =>
        Named(field ??= accelerator.LoadKernel<MatmulOperand, MatmulOperand, Matrix, ArrayView<float>, int, int, int, int>(MatmulCode.Tile64));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, ArrayView<float>, int, int, int> AddSplits =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, ArrayView<float>, int, int, int>(MatmulCode.AddSplits));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, ArrayView<int>, ArrayView<int>, int,
        AttentionSizes> AttentionForward => Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix, ArrayView<int>,
            ArrayView<int>, int, AttentionSizes>(AttentionForwardCode.Forward));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, ArrayView<int>,
        ArrayView<int>, int, AttentionSizes> AttentionQueries => Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix,
            Matrix, Matrix, ArrayView<int>, ArrayView<int>, int, AttentionSizes>(AttentionBackwardCode.Queries));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, ArrayView<int>,
        ArrayView<int>, int, AttentionSizes> AttentionKeys => Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix,
            Matrix, Matrix, Matrix, ArrayView<int>, ArrayView<int>, int, AttentionSizes>(AttentionBackwardCode.Keys));

    public Action<AcceleratorStream, KernelConfig, ArrayView<float>, Matrix, ArrayView<int>, ArrayView<int>, int, float, int> CrossEntropyRows =>
        Named(field ??= accelerator.LoadKernel<ArrayView<float>, Matrix, ArrayView<int>, ArrayView<int>, int, float, int>(LinearCrossEntropyCode.Rows));

    public Action<AcceleratorStream, KernelConfig, ArrayView<double>, Matrix, Matrix, MmdEntries, int> MmdDistances =>
        Named(field ??= accelerator.LoadKernel<ArrayView<double>, Matrix, Matrix, MmdEntries, int>(MmdGaussianCode.Distances));

    public Action<AcceleratorStream, KernelConfig, ArrayView<double>, ArrayView<double>, int, int> MmdSumDistances =>
        Named(field ??= accelerator.LoadKernel<ArrayView<double>, ArrayView<double>, int, int>(MmdGaussianCode.SumDistances));

    public Action<AcceleratorStream, KernelConfig, ScalarMatrix, ScalarMatrix, ArrayView<double>, int> MmdFinish =>
        Named(field ??= accelerator.LoadKernel<ScalarMatrix, ScalarMatrix, ArrayView<double>, int>(MmdGaussianCode.Finish));

    public Action<AcceleratorStream, KernelConfig, Matrix, ScalarMatrix, Matrix, Matrix, MmdEntries, int, float> MmdBackward =>
        Named(field ??= accelerator.LoadKernel<Matrix, ScalarMatrix, Matrix, Matrix, MmdEntries, int, float>(MmdGaussianCode.Backward));

    public Action<AcceleratorStream, KernelConfig, Matrix, Matrix, Matrix, Matrix, Matrix, AdamWFactors, ArrayView<double>, int> AdamW =>
        Named(field ??= accelerator.LoadKernel<Matrix, Matrix, Matrix, Matrix, Matrix, AdamWFactors, ArrayView<double>, int>(AdamWCode.Update));

    private static T Named<T>(T kernel, [CallerMemberName] string name = "")
    {
        LastRequested = name;
        return kernel;
    }
}
