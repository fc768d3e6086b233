using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Family embedding. Gather copies rows side by side; scatter-add is split by columns, so that each column adds its rows in
/// order. Variants: vector512, vector256, vector128.
/// </summary>
internal abstract unsafe class Embedding
{
    public abstract void Gather(View output, View table, int* rows);

    /// <summary>dTable[rows[r]] += factor * dOutput[r], r ascending.</summary>
    public abstract void ScatterAdd(View dTable, View dOutput, int* rows, float factor);
}

/// <inheritdoc/>
internal sealed unsafe class Embedding<T>(CpuContext context) : Embedding
    where T : unmanaged, ISimd<T>
{
    /// <summary>Columns of a part: four cache lines a row, so that parts do not share lines.</summary>
    private const int PartColumns = 64;

    public override void Gather(View output, View table, int* rows)
    {
        context.NoteTraffic(output.Length, output.Length);
        new RowParts<GatherWork>(new GatherWork(output, table, rows), output.Rows, output.Columns).Run(context.Team);
    }

    public override void ScatterAdd(View dTable, View dOutput, int* rows, float factor)
    {
        context.NoteTraffic(dOutput.Length, dOutput.Length);
        context.Team.Run(new ScatterWork(dTable, dOutput, rows, factor), (dTable.Columns + PartColumns - 1) / PartColumns);
    }

    private readonly struct GatherWork(View output, View table, int* rows) : IRowWork
    {
        public void Run(int row)
        {
            long bytes = output.Columns * sizeof(float);
            Buffer.MemoryCopy(table.Row(rows[row]), output.Row(row), bytes, bytes);
        }
    }

    private readonly struct ScatterWork(View dTable, View dOutput, int* rows, float factor) : IWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(int part, int worker)
        {
            int first = part * PartColumns, count = Math.Min(PartColumns, dTable.Columns - first);
            for (int row = 0; row < dOutput.Rows; row++)
                SimdMath.AddScaled<T>(dTable.Row(rows[row]) + first, dOutput.Row(row) + first, count, factor);
        }
    }
}
