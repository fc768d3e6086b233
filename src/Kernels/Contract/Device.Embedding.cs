namespace RepNoise.Kernels;

/// <summary>Family embedding: rows of a table by number. Also how loss terms pick the rows they read.</summary>
public abstract partial class Device
{
    /// <summary>output[r, :] = table[rows[r], :].</summary>
    /// <param name="output">(R, C), written.</param>
    /// <param name="table">(V, C) or any matrix of rows.</param>
    /// <param name="rows">R row numbers, each within the table.</param>
    public void GatherRows(Tensor output, Tensor table, Indices rows)
    {
        Check.Shape(nameof(GatherRows), output, rows.Count, table.Columns);
        using var observed = listener is null ? default : Observe(nameof(GatherRows), GatherRowsCost(rows.Count, table.Columns, Size(table)));
        GatherRowsCore(output, table, rows);
    }

    /// <summary>
    /// dTable[rows[r], :] += factor * dOutput[r, :] in the order of r, so that repeated rows add up the same way every time.
    /// </summary>
    /// <param name="dTable">(V, C), accumulated.</param>
    /// <param name="dOutput">(R, C).</param>
    /// <param name="rows">R row numbers; a row may occur many times.</param>
    /// <param name="factor">A host-side factor.</param>
    /// <param name="deviceFactor">(1, 1), a further factor that lies on the device, or none.</param>
    public void ScatterAddRows(Tensor dTable, Tensor dOutput, Indices rows, double factor = 1, Tensor deviceFactor = default)
    {
        Check.Shape(nameof(ScatterAddRows), dOutput, rows.Count, dTable.Columns);
        Check.OptionalShape(nameof(ScatterAddRows), deviceFactor, 1, 1);
        using var observed = listener is null ? default : Observe(nameof(ScatterAddRows), ScatterAddRowsCost(rows.Count, dTable.Columns, Size(dTable)));
        ScatterAddRowsCore(dTable, dOutput, rows, factor, deviceFactor);
    }

    public static OpCost GatherRowsCost(int rows, int columns, int size) => new(0, 2.0 * rows * columns * size);

    public static OpCost ScatterAddRowsCost(int rows, int columns, int size) => new(2.0 * rows * columns, 3.0 * rows * columns * size);

    protected abstract void GatherRowsCore(Tensor output, Tensor table, Indices rows);

    protected abstract void ScatterAddRowsCore(Tensor dTable, Tensor dOutput, Indices rows, double factor, Tensor deviceFactor);
}
