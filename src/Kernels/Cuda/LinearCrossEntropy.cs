using System.Numerics;

namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family linear_cross_entropy, in chunks of as many rows as the workspace holds: logits by the matrix product, loss and scaled
/// gradient of the logits in place by a block a row, then dX and dWeight by two more products. Nothing is computed twice, and a row of logits
/// that fits into shared memory is read once.
/// </summary>
internal sealed class LinearCrossEntropy(CudaContext context, Matmul matmul)
{
    private const int LeastThreads = 32;
    private const int MostThreads = 512;

    private readonly CudaKernel<Arguments> softmax = new(
        context, "linear_cross_entropy", $"linear_cross_entropy_softmax_{context.Suffix}", MostThreads, SharedBytes(context.SharedBytes));

    public void Run(
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace)
    {
        // Every thread has a pack; a vocabulary smaller than a block's packs would leave most of them waiting.
        int held = dX.IsEmpty ? 0 : HeldColumns(weight.Rows), heldBytes = held * context.Compute.Size();
        int threads = (int)Math.Clamp(BitOperations.RoundUpToPowerOf2((uint)Packs.Blocks(weight.Rows, Packs.Size)), LeastThreads, MostThreads);
        for (int start = 0; start < x.Rows; start += workspace.Rows)
        {
            int count = Math.Min(workspace.Rows, x.Rows - start);
            Tensor rows = x.RowRange(start, count), logits = workspace.RowRange(0, count);
            matmul.Run(logits, rows, weight, MatmulForm.NT, accumulate: false, bias: default);
            softmax.Launch(new Grid(count), new Arguments(
                MatrixArgument.Address(losses.ColumnRange(start, count)), MatrixArgument.Of(logits),
                MatrixArgument.Address(targets.Range(start, count)),
                repeats.IsEmpty ? 0 : MatrixArgument.Address(repeats.Range(start, count)), (float)gradientFactor, dX.IsEmpty ? 0 : 1, held), heldBytes, threads);
            if (dX.IsEmpty) continue;
            matmul.Run(dX.RowRange(start, count), logits, weight, MatmulForm.NN, accumulate: false, bias: default);
            if (!dWeight.IsEmpty) matmul.Run(dWeight, logits, rows, MatmulForm.TN, accumulate: true, bias: default);
        }
    }

    /// <summary>Room for a row: what lets two blocks run on a multiprocessor, as many as registers do.</summary>
    private static int SharedBytes((int Block, int Multiprocessor) limits)
    {
        const int PerBlock = 1024 + 256; // what the driver takes, and the warps' sums
        return Math.Max(0, Math.Min(limits.Block - PerBlock, limits.Multiprocessor / 2 - PerBlock));
    }

    /// <summary>Logits of a row that stay in shared memory: whole packs.</summary>
    private int HeldColumns(int columns)
    {
        long wanted = Packs.Blocks(columns, Packs.Size) * Packs.Size, room = SharedBytes(context.SharedBytes) / context.Compute.Size();
        return (int)Math.Min(wanted, room / Packs.Size * Packs.Size);
    }

    private readonly record struct Arguments(nint Losses, MatrixArgument Logits, nint Targets, nint Repeats, float Factor, int Gradients, int Held);
}
