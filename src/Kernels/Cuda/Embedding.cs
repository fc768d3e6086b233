namespace RepNoise.Kernels.Cuda;

/// <summary>Family embedding.</summary>
internal sealed class Embedding
{
    private const string Family = "embedding";
    private const int Threads = 256;

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

    public void Gather(Tensor output, Tensor table, Indices rows) =>
        gather[(MatrixArgument.FormatOf(table), MatrixArgument.FormatOf(output))].Launch(
            Packs.Over(output.Rows, output.Columns, Threads),
            new GatherArguments(MatrixArgument.Of(output), MatrixArgument.Of(table), MatrixArgument.Address(rows)));

    public void ScatterAdd(Tensor dTable, Tensor dOutput, Indices rows, double factor, Tensor deviceFactor) =>
        scatter[(MatrixArgument.FormatOf(dOutput), MatrixArgument.FormatOf(dTable))].Launch(
            new Grid(dOutput.Columns == 0 ? 0 : dOutput.Rows),
            new ScatterArguments(MatrixArgument.Of(dTable), MatrixArgument.Of(dOutput), MatrixArgument.Address(rows), factor,
                context.FactorAddress(deviceFactor)));

    private readonly record struct GatherArguments(MatrixArgument Output, MatrixArgument Table, nint Rows);

    private readonly record struct ScatterArguments(
        MatrixArgument DTable, MatrixArgument DOutput, nint Rows, double Factor, nint DeviceFactor);
}
