using System.Numerics;

namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Family linear_cross_entropy, in chunks of as many rows as the workspace holds, or would hold: a matrix product makes the logits and, tile by tile, what softmax needs
/// of their rows; loss and scaled gradient of the logits in place, each read once; then dX and dWeight by two more products. Nothing is computed twice,
/// and for losses alone the logits are nowhere stored and need no workspace. Products whose kernels do not sum rows are followed by one that does.
/// </summary>
internal sealed class LinearCrossEntropy(CudaContext context, Matmul matmul)
{
    private const int LeastThreads = 32;
    private const int MostThreads = 512;
    private const int BlocksPerMultiprocessor = 2; // of the few rows of a small chunk
    private const int LeastLogitsPerSum = 8; // bytes of logits that a row's blocks read and write for one of the sums that they all read

    private readonly CudaKernel<SoftmaxArguments> softmax = new(context, "linear_cross_entropy", $"linear_cross_entropy_softmax_{context.Suffix}", MostThreads);
    private readonly Lazy<CudaKernel<SumsArguments>> rowSums = new(
        () => new CudaKernel<SumsArguments>(context, "linear_cross_entropy", $"linear_cross_entropy_sums_{context.Suffix}", MostThreads));

    public void Run(
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace)
    {
        int chunk = ChunkRows(weight, workspace);
        for (int start = 0; start < x.Rows; start += chunk)
        {
            int count = Math.Min(chunk, x.Rows - start);
            Tensor rows = x.RowRange(start, count), logits = workspace.IsEmpty ? default : workspace.RowRange(0, count);
            var sums = Logits(logits, rows, weight, MatrixArgument.Address(targets.Range(start, count)), RowSums.Bytes(chunk, weight.Rows), areStored: !dX.IsEmpty);
            // A thread has a pack of logits, or a strip where there are only those: threads more than strips add nothing to a sum, so its bits are the same.
            int threads = Threads(dX.IsEmpty ? sums.Strips : Packs.Blocks(weight.Rows, Packs.Size));
            int parts = dX.IsEmpty ? 1 : Parts(count, weight.Rows, sums.Strips, threads);
            softmax.Launch(new Grid(count, parts), new SoftmaxArguments(
                MatrixArgument.Address(losses.ColumnRange(start, count)), MatrixArgument.Of(logits), sums,
                repeats.IsEmpty ? 0 : MatrixArgument.Address(repeats.Range(start, count)), (float)gradientFactor, dX.IsEmpty ? 0 : 1), blockThreads: threads);
            if (dX.IsEmpty) continue;
            matmul.Run(dX.RowRange(start, count), logits, weight, MatmulForm.NN, accumulate: false, bias: default);
            if (!dWeight.IsEmpty) matmul.Run(dWeight, logits, rows, MatmulForm.TN, accumulate: true, bias: default);
        }
    }

    /// <summary>Rows of a chunk: those of the workspace, or of the one that would be taken.</summary>
    public static int ChunkRows(Tensor weight, Tensor workspace) => workspace.IsEmpty ? weight.Buffer.Device.LogitsChunkRows(weight.Rows) : workspace.Rows;

    /// <summary>The logits, stored where asked for, and the sums of their rows.</summary>
    private RowSums Logits(Tensor logits, Tensor rows, Tensor weight, nint targets, long scratchBytes, bool areStored)
    {
        if (matmul.LogitsTile(rows, weight) is { } tile)
        {
            var sums = RowSums.In(context.Scratch(scratchBytes), rows.Rows, (int)Packs.Blocks(weight.Rows, tile.StripColumns), targets);
            matmul.RunLogits(tile, areStored ? logits : default, rows, weight, sums);
            return sums;
        }

        // Before the sums have their memory, which the product may need for its parts.
        matmul.Run(logits, rows, weight, MatmulForm.NT, accumulate: false, bias: default);
        var whole = RowSums.In(context.Scratch(scratchBytes), rows.Rows, strips: 1, targets);
        rowSums.Value.Launch(new Grid(rows.Rows), new SumsArguments(MatrixArgument.Of(logits), whole), blockThreads: Threads(Packs.Blocks(weight.Rows, Packs.Size)));
        return whole;
    }

    private static int Threads(long items) => (int)Math.Clamp(BitOperations.RoundUpToPowerOf2((uint)items), LeastThreads, MostThreads);

    /// <summary>
    /// Blocks that share a row, where rows are too few for the device. Each of them reads all sums of the row, so there are no more than keep what
    /// they read of sums to an eighth of the bytes that they move of logits.
    /// </summary>
    private int Parts(int rows, int columns, int strips, int threads)
    {
        long moved = 2L * columns * context.Compute.Size(), sums = (long)strips * RowSums.PairBytes;
        long most = Math.Min(Packs.Blocks(columns, threads * Packs.Size), moved / (LeastLogitsPerSum * sums));
        return (int)Math.Clamp(BlocksPerMultiprocessor * context.Multiprocessors / rows, 1, Math.Max(1, most));
    }

    private readonly record struct SoftmaxArguments(nint Losses, MatrixArgument Logits, RowSums Sums, nint Repeats, float Factor, int Gradients);

    private readonly record struct SumsArguments(MatrixArgument Logits, RowSums Sums);
}
