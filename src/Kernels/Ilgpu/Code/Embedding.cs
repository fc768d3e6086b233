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

    /// <summary>
    /// dTable[rows[r], :] += factor * dOutput[r, :], r ascending. A group per row of dOutput; its threads look through the row
    /// numbers side by side.
    /// </summary>
    public static void ScatterAdd(Matrix dTable, Matrix dOutput, ArrayView<int> rows, DeviceFactor factor)
    {
        var matches = SharedMemory.Allocate<int>(GroupReduce.MaxThreads);
        float scale = (float)factor.Value;
        for (int first = Grid.IdxX; first < dOutput.Rows; first += Grid.DimX)
        {
            int number = rows[first];
            if (OccursBefore(rows, first, number)) continue;
            for (int start = first; start < dOutput.Rows; start += Group.DimX)
            {
                int row = start + Group.IdxX;
                bool isMatch = row < dOutput.Rows && rows[row] == number;
                matches[Group.IdxX] = isMatch ? 1 : 0;
                if (!Group.BarrierOr(isMatch)) continue;
                for (int i = 0; i < Group.DimX; i++)
                {
                    if (matches[i] == 0) continue;
                    for (int column = Group.IdxX; column < dTable.Columns; column += Group.DimX)
                        dTable[number, column] += scale * dOutput[start + i, column];
                }

                Group.Barrier();
            }
        }
    }

    /// <summary>Whether a row number stands before an index. All threads of the group call.</summary>
    private static bool OccursBefore(ArrayView<int> rows, int end, int number)
    {
        int found = 0;
        for (int row = Group.IdxX; row < end && found == 0; row += Group.DimX) found = rows[row] == number ? 1 : 0;
        return Group.BarrierOr(found != 0);
    }
}
