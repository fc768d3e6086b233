namespace RepNoise.Kernels.Cuda;

/// <summary>Family embedding.</summary>
internal sealed class Embedding
{
    private const string Family = "embedding";
    private const int Threads = 256;
    private const int WarpSize = 32;

    private static readonly NumberFormat[] Formats = [NumberFormat.BFloat16, NumberFormat.Float32];

    private readonly CudaContext context;
    private readonly Dictionary<(NumberFormat, NumberFormat), CudaKernel<GatherArguments>> gather = [];
    private readonly Dictionary<(NumberFormat, NumberFormat), CudaKernel<ScatterArguments>> scatter = [];

    public Embedding(CudaContext context)
    {
        this.context = context;
        foreach (var from in Formats)
        {
            foreach (var to in Formats)
            {
                string name = $"{CudaContext.SuffixOf(from)}_to_{CudaContext.SuffixOf(to)}";
                gather.Add((from, to), new CudaKernel<GatherArguments>(context, Family, $"gather_rows_{name}", Threads));
                scatter.Add((from, to), new CudaKernel<ScatterArguments>(context, Family, $"scatter_add_rows_{name}", Threads));
            }
        }
    }

    public void Gather(Tensor output, Tensor table, Indices rows)
    {
        int threads = BlockThreads(output);
        if (threads == 0) return;
        gather[(MatrixArgument.FormatOf(table), MatrixArgument.FormatOf(output))].Launch(
            Packs.Over(output.Rows, output.Columns, threads),
            new GatherArguments(MatrixArgument.Of(output), MatrixArgument.Of(table), MatrixArgument.Address(rows)),
            blockThreads: threads);
    }

    /// <param name="dTable">(V, C), accumulated.</param>
    /// <param name="dOutput">(R, C).</param>
    /// <param name="runs">The R row numbers, sorted.</param>
    /// <param name="factor">A host-side factor.</param>
    /// <param name="deviceFactor">(1, 1), or none.</param>
    public void ScatterAdd(Tensor dTable, Tensor dOutput, RowRuns runs, double factor, Tensor deviceFactor)
    {
        int threads = BlockThreads(dOutput);
        if (threads == 0) return;
        scatter[(MatrixArgument.FormatOf(dOutput), MatrixArgument.FormatOf(dTable))].Launch(
            new Grid(runs.Count, (int)Packs.Blocks(dOutput.Columns, threads * Packs.Size)),
            new ScatterArguments(MatrixArgument.Of(dTable), MatrixArgument.Of(dOutput), runs.Runs, runs.Order, factor, context.FactorAddress(deviceFactor)),
            blockThreads: threads);
    }

    /// <summary>Warps enough for a row; none where it is empty.</summary>
    private static int BlockThreads(Tensor rows) => (int)Math.Min(Threads, Packs.Blocks(rows.Columns, WarpSize * Packs.Size) * WarpSize);

    private readonly record struct GatherArguments(MatrixArgument Output, MatrixArgument Table, nint Rows);

    private readonly record struct ScatterArguments(
        MatrixArgument DTable, MatrixArgument DOutput, nint Runs, nint Order, double Factor, nint DeviceFactor);
}
