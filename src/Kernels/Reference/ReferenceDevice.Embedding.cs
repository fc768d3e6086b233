namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    protected override void GatherRowsCore(Tensor output, Tensor table, Indices rows)
    {
        var (to, from) = (Wide(output), Wide(table));
        var numbers = RowNumbers(nameof(GatherRows), rows, table.Rows);
        for (int r = 0; r < output.Rows; r++)
        {
            for (int c = 0; c < output.Columns; c++) to[r, c] = from[numbers[r], c];
        }
    }

    protected override void ScatterAddRowsCore(Tensor dTable, Tensor dOutput, Indices rows, double factor, Tensor deviceFactor)
    {
        var (to, from) = (Real(dTable), Real(dOutput));
        var numbers = RowNumbers(nameof(ScatterAddRows), rows, dTable.Rows);
        var combined = ToReal(Combine(factor, deviceFactor));
        for (int r = 0; r < dOutput.Rows; r++)
        {
            for (int c = 0; c < dOutput.Columns; c++) to[numbers[r], c] += combined * from[r, c];
        }
    }
}
