using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Family embedding. The scatter-add gives each row number to one group, that of its first occurrence, which adds all
/// occurrences in order: no two groups write one row, and no order is left to chance.
/// </summary>
internal static class EmbeddingCode
{
    /// <summary>output[r, :] = table[rows[r], :].</summary>
    public static void Gather(Matrix output, Matrix table, ArrayView<int> rows)
    {
        for (int row = Grid.IdxY; row < output.Rows; row += Grid.DimY)
        {
            int from = rows[row];
            for (int column = ElementwiseCode.FirstColumn(); column < output.Columns; column += ElementwiseCode.ColumnStep())
                output[row, column] = table[from, column];
        }
    }

    /// <summary>dTable[rows[r], :] += factor * dOutput[r, :], r ascending. Grid (stretches of columns, rows of dOutput).</summary>
    public static void ScatterAdd(Matrix dTable, Matrix dOutput, ArrayView<int> rows, DeviceFactor factor)
    {
        float scale = (float)factor.Value;
        for (int first = Grid.IdxY; first < dOutput.Rows; first += Grid.DimY)
        {
            int number = rows[first];
            if (OccursBefore(rows, first, number)) continue;
            for (int row = first; row < dOutput.Rows; row++)
            {
                if (rows[row] != number) continue;
                for (int column = ElementwiseCode.FirstColumn(); column < dTable.Columns; column += ElementwiseCode.ColumnStep())
                    dTable[number, column] += scale * dOutput[row, column];
            }
        }
    }

    private static bool OccursBefore(ArrayView<int> rows, int end, int number)
    {
        for (int row = 0; row < end; row++)
        {
            if (rows[row] == number) return true;
        }

        return false;
    }
}
