using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the family embedding.</summary>
public abstract class EmbeddingConformance : Conformance
{
    [Theory]
    [InlineData(9, 64, 32)]
    [InlineData(1, 1, 1)]
    [InlineData(123, 123, 5)]
    [InlineData(0, 8, 4)]
    [InlineData(70, 257, 40)]
    public void Gather_copies_rows(int rows, int columns, int tableRows) => Exactly(101, bench =>
    {
        var table = bench.Input("table", BufferKind.Compute, tableRows, columns);
        var output = bench.Written("output", BufferKind.Compute, rows, columns);
        bench.Device.GatherRows(output, table, bench.Numbers(RowNumbers(rows, tableRows)));
    });

    [Theory]
    [InlineData(9, 64, 32, BufferKind.State)]
    [InlineData(1, 1, 1, BufferKind.State)]
    [InlineData(123, 123, 5, BufferKind.State)]
    [InlineData(0, 8, 4, BufferKind.State)]
    [InlineData(70, 257, 40, BufferKind.Compute)]
    public void Scatter_adds_repeated_rows(int rows, int columns, int tableRows, BufferKind kind) => Backward(102, bench =>
    {
        var dOutput = bench.Input("dOutput", BufferKind.Compute, rows, columns);
        var dTable = bench.Updated("dTable", kind, tableRows, columns, magnitude: 1);
        var numbers = bench.Numbers(RowNumbers(rows, tableRows));
        bench.Device.ScatterAddRows(dTable, dOutput, numbers);
        bench.Device.ScatterAddRows(dTable, dOutput, numbers, -0.3);
    });

    [Theory]
    [InlineData(17, 33, 6)]
    [InlineData(5, 123, 123)]
    public void Scatter_takes_a_factor_from_the_device(int rows, int columns, int tableRows) => Backward(103, bench =>
    {
        var dOutput = bench.Input("dOutput", BufferKind.Compute, rows, columns);
        var dTable = bench.Updated("dTable", BufferKind.State, tableRows, columns, magnitude: 1);
        var factor = bench.Input("factor", BufferKind.Scalar, 1, 1, [0.7]);
        bench.Device.ScatterAddRows(dTable, dOutput, bench.Numbers(RowNumbers(rows, tableRows)), -1.25, factor);
    });

    [Fact]
    public void Scatter_sums_one_row_in_order() => Backward(104, bench =>
    {
        var dOutput = bench.Input("dOutput", BufferKind.Compute, 200, 7);
        var dTable = bench.Updated("dTable", BufferKind.State, 3, 7, magnitude: 1);
        bench.Device.ScatterAddRows(dTable, dOutput, bench.Numbers(new int[200]));
    });

    /// <summary>Numbers that jump about and repeat.</summary>
    private static int[] RowNumbers(int rows, int limit) => [.. Enumerable.Range(0, rows).Select(r => (r * r + 3 * r + 1) % limit)];
}
