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

    /// <summary>Registers of a part where the row is wide: whole cache lines next to each other for the prefetcher.</summary>
    private const int Registers = 4;

    /// <param name="team">Threads.</param>
    /// <param name="target">(1, C), accumulated.</param>
    /// <param name="a">(N, G * C).</param>
    /// <param name="x">(N, G * C), or none for plain sums.</param>
    /// <param name="rstd">(N, G), or none with x.</param>
    public static void Run(ThreadTeam team, View target, View a, View x = default, View rstd = default) =>
        team.Run(new ColumnSums<T>(target, a, x, rstd), (target.Columns + Registers * T.Width - 1) / (Registers * T.Width));

    public void Run(int part, int worker)
    {
        int first = part * Registers * T.Width;
        if (target.Columns - first >= Registers * T.Width) RunWide(first);
        else for (; first < target.Columns; first += T.Width) RunNarrow(first);
    }

    [MethodImpl(KernelLoop.Options)]
    private void RunWide(int first)
    {
        int groups = a.Columns / target.Columns;
        T low0 = default, low1 = default, low2 = default, low3 = default, high0 = default, high1 = default, high2 = default, high3 = default;
        for (int start = 0; start < a.Rows; start += RunRows)
        {
            T s0 = default, s1 = default, s2 = default, s3 = default;
            for (int row = start; row < Math.Min(a.Rows, start + RunRows); row++)
            {
                for (int group = 0; group < groups; group++)
                {
                    long column = first + (long)group * target.Columns;
                    float* from = a.Row(row) + column;
                    T a0 = T.Load(from), a1 = T.Load(from + T.Width), a2 = T.Load(from + 2 * T.Width), a3 = T.Load(from + 3 * T.Width);
                    if (!x.IsEmpty)
                    {
                        var scale = T.Create(rstd.Row(row)[group]);
                        float* values = x.Row(row) + column;
                        a0 *= T.Load(values) * scale;
                        a1 *= T.Load(values + T.Width) * scale;
                        a2 *= T.Load(values + 2 * T.Width) * scale;
                        a3 *= T.Load(values + 3 * T.Width) * scale;
                    }

                    s0 += a0;
                    s1 += a1;
                    s2 += a2;
                    s3 += a3;
                }
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
        int left = target.Columns - first, groups = a.Columns / target.Columns;
        T low = default, high = default;
        for (int start = 0; start < a.Rows; start += RunRows)
        {
            T sum = default;
            for (int row = start; row < Math.Min(a.Rows, start + RunRows); row++)
            {
                for (int group = 0; group < groups; group++)
                {
                    long column = first + (long)group * target.Columns;
                    var term = SimdMath.Load<T>(a.Row(row) + column, left);
                    sum += x.IsEmpty ? term : term * (SimdMath.Load<T>(x.Row(row) + column, left) * T.Create(rstd.Row(row)[group]));
                }
            }

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
