using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Sums over rows: target (1, C) += sum over rows and groups of a, or of a * x * rstd. Split by columns, rows in order; short
/// runs of rows add up in float32 registers and the runs in float64, so that the error does not grow with the rows.
/// </summary>
internal readonly unsafe struct ColumnSums<T>(View target, View a, View x, View rstd) : IWork
    where T : unmanaged, ISimd<T>
{
    private const int RunRows = 16;

    /// <param name="team">Threads.</param>
    /// <param name="target">(1, C), accumulated.</param>
    /// <param name="a">(N, G * C).</param>
    /// <param name="x">(N, G * C), or none for plain sums.</param>
    /// <param name="rstd">(N, G), or none with x.</param>
    public static void Run(ThreadTeam team, View target, View a, View x = default, View rstd = default) =>
        team.Run(new ColumnSums<T>(target, a, x, rstd), (target.Columns + T.Width - 1) / T.Width);

    [MethodImpl(KernelLoop.Options)]
    public void Run(int part, int worker)
    {
        int first = part * T.Width, left = target.Columns - first;
        int groups = a.Columns / target.Columns;
        T low = default, high = default;
        for (int start = 0; start < a.Rows; start += RunRows)
        {
            T sum = default;
            for (int row = start; row < Math.Min(a.Rows, start + RunRows); row++)
            {
                for (int group = 0; group < groups; group++)
                    sum += Term(row, group, first + (long)group * target.Columns, left);
            }

            low = T.AddDouble(low, T.WidenLower(sum));
            high = T.AddDouble(high, T.WidenUpper(sum));
        }

        double* sums = stackalloc double[T.Width];
        T.Store(low, (float*)sums);
        T.Store(high, (float*)(sums + T.Width / 2));
        for (int i = 0; i < Math.Min(left, T.Width); i++) target.Data[first + i] = (float)(target.Data[first + i] + sums[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private T Term(int row, int group, long column, long left)
    {
        var term = SimdMath.Load<T>(a.Row(row) + column, left);
        return x.IsEmpty ? term : term * (SimdMath.Load<T>(x.Row(row) + column, left) * T.Create(rstd.Row(row)[group]));
    }
}
