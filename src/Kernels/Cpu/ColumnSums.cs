using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Sums over rows: target (1, C) += sum over rows of values. Split by columns, rows in order; short runs of rows add up in
/// float32 registers and the runs in float64, so that the error does not grow with the rows.
/// </summary>
internal readonly unsafe struct ColumnSums<T>(View target, View values) : IWork
    where T : unmanaged, ISimd<T>
{
    private const int RunRows = 16;

    /// <summary>Registers of a part where the row is wide: whole cache lines next to each other for the prefetcher.</summary>
    private const int Registers = 4;

    /// <param name="team">Threads.</param>
    /// <param name="target">(1, C), accumulated.</param>
    /// <param name="values">(N, C).</param>
    public static void Run(ThreadTeam team, View target, View values) =>
        team.Run(new ColumnSums<T>(target, values), (target.Columns + Registers * T.Width - 1) / (Registers * T.Width));

    public void Run(int part, int worker)
    {
        int first = part * Registers * T.Width;
        if (target.Columns - first >= Registers * T.Width) RunWide(first);
        else for (; first < target.Columns; first += T.Width) RunNarrow(first);
    }

    [MethodImpl(KernelLoop.Options)]
    private void RunWide(int first)
    {
        T low0 = default, low1 = default, low2 = default, low3 = default, high0 = default, high1 = default, high2 = default, high3 = default;
        for (int start = 0; start < values.Rows; start += RunRows)
        {
            T s0 = default, s1 = default, s2 = default, s3 = default;
            for (int row = start; row < Math.Min(values.Rows, start + RunRows); row++)
            {
                float* from = values.Row(row) + first;
                s0 += T.Load(from);
                s1 += T.Load(from + T.Width);
                s2 += T.Load(from + 2 * T.Width);
                s3 += T.Load(from + 3 * T.Width);
            }

            (low0, high0) = (T.AddDouble(low0, T.WidenLower(s0)), T.AddDouble(high0, T.WidenUpper(s0)));
            (low1, high1) = (T.AddDouble(low1, T.WidenLower(s1)), T.AddDouble(high1, T.WidenUpper(s1)));
            (low2, high2) = (T.AddDouble(low2, T.WidenLower(s2)), T.AddDouble(high2, T.WidenUpper(s2)));
            (low3, high3) = (T.AddDouble(low3, T.WidenLower(s3)), T.AddDouble(high3, T.WidenUpper(s3)));
        }

        Finish(low0, high0, first);
        Finish(low1, high1, first + T.Width);
        Finish(low2, high2, first + 2 * T.Width);
        Finish(low3, high3, first + 3 * T.Width);
    }

    [MethodImpl(KernelLoop.Options)]
    private void RunNarrow(int first)
    {
        int left = target.Columns - first;
        T low = default, high = default;
        for (int start = 0; start < values.Rows; start += RunRows)
        {
            T sum = default;
            for (int row = start; row < Math.Min(values.Rows, start + RunRows); row++) sum += SimdMath.Load<T>(values.Row(row) + first, left);
            (low, high) = (T.AddDouble(low, T.WidenLower(sum)), T.AddDouble(high, T.WidenUpper(sum)));
        }

        Finish(low, high, first);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Finish(T low, T high, int first)
    {
        double* sums = stackalloc double[T.Width];
        T.Store(low, (float*)sums);
        T.Store(high, (float*)(sums + T.Width / 2));
        for (int i = 0; i < Math.Min(target.Columns - first, T.Width); i++)
            target.Data[first + i] = (float)(target.Data[first + i] + sums[i]);
    }
}
