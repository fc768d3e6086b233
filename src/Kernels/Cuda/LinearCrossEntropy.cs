using System.Numerics;

namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family linear_cross_entropy, in chunks of as many rows as the workspace holds: logits by the matrix product, loss and scaled
/// gradient of the logits in place by a block a row, then dX and dWeight by two more products. Nothing is computed twice.
/// </summary>
internal sealed class LinearCrossEntropy(CudaContext context, Matmul matmul)
{
    private const int LeastThreads = 32;
    private const int MostThreads = 512;

    private readonly CudaKernel<Arguments> softmax =
        new(context, "linear_cross_entropy", $"linear_cross_entropy_softmax_{context.Suffix}", MostThreads);

    public void Run(
        Tensor losses, Tensor x, Tensor weight, Indices targets, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace)
    {
        // Every thread has a pack; a vocabulary smaller than a block's packs would leave most of them waiting.
        int threads = (int)Math.Clamp(BitOperations.RoundUpToPowerOf2((uint)Packs.Blocks(weight.Rows, Packs.Size)), LeastThreads, MostThreads);
        for (int start = 0; start < x.Rows; start += workspace.Rows)
        {
            int count = Math.Min(workspace.Rows, x.Rows - start);
            Tensor rows = x.RowRange(start, count), logits = workspace.RowRange(0, count);
            matmul.Run(logits, rows, weight, MatmulForm.NT, accumulate: false, bias: default);
            softmax.Launch(new Grid(count), new Arguments(
                MatrixArgument.Address(losses.ColumnRange(start, count)), MatrixArgument.Of(logits),
                MatrixArgument.Address(targets.Range(start, count)), (float)gradientFactor, dX.IsEmpty ? 0 : 1), blockThreads: threads);
            if (dX.IsEmpty) continue;
            matmul.Run(dX.RowRange(start, count), logits, weight, MatmulForm.NN, accumulate: false, bias: default);
            if (!dWeight.IsEmpty) matmul.Run(dWeight, logits, rows, MatmulForm.TN, accumulate: true, bias: default);
        }
    }

    private readonly record struct Arguments(nint Losses, MatrixArgument Logits, nint Targets, float Factor, int Gradients);
}
