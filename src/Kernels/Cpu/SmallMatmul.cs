namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Matrix products of very few rows, as a decode step has them, bound by reading B once: for NT a dot product an element, for
/// NN and TN sums of B's rows held in registers. Also the product over no elements (K = 0), which is zero.
/// </summary>
internal readonly unsafe struct SmallMatmul<T>(View c, View a, View b, MatmulForm form, int k, bool accumulate, View bias) : IWork
    where T : unmanaged, ISimd<T>
{
    public const int MaxRows = 4;

    /// <summary>Columns of C in a part: about as much of B as repays waking a thread.</summary>
    private const int PartColumns = 64;

    /// <summary>True where packing would cost more than it saves.</summary>
    public static bool Suits(int rows, MatmulForm form) => rows <= (form == MatmulForm.NT ? MaxRows : 1);

    private int Parts => (c.Columns + PartColumns - 1) / PartColumns;

    public void Run(ThreadTeam team) => team.Run(this, Parts);

    /// <summary>B once, again for every row where a part's columns of it are too many; A once a thread.</summary>
    public Traffic Traffic(long cacheBytes, int threads)
    {
        var traffic = new Traffic(cacheBytes);
        traffic.Read(traffic.Passes(c.Rows, (double)PartColumns * k) * k * c.Columns);
        traffic.Read((double)Math.Min(threads, Parts) * c.Rows * k + bias.Length);
        traffic.Write(c.Length);
        return traffic;
    }

    public void Run(int part, int worker)
    {
        int first = part * PartColumns, count = Math.Min(PartColumns, c.Columns - first);
        float* sums = stackalloc float[PartColumns];
        for (int row = 0; row < c.Rows; row++)
        {
            if (k == 0) new Span<float>(sums, count).Clear();
            else if (form == MatmulForm.NT) Dots(row, first, count, sums);
            else Sums(row, first, count, sums);
            Finish(c.Row(row) + first, sums, first, count);
        }
    }

    private void Dots(int row, int first, int count, float* sums)
    {
        for (int j = 0; j < count; j++) sums[j] = SimdMath.Dot<T>(a.Row(row), b.Row(first + j), k);
    }

    private void Sums(int row, int first, int count, float* sums)
    {
        float* factors = form == MatmulForm.TN ? a.Data + row : a.Row(row);
        long step = form == MatmulForm.TN ? a.Stride : 1;
        for (int j = 0; j < count; j += 2 * T.Width)
        {
            T low = default, high = default;
            int left = count - j;
            for (int i = 0; i < k; i++)
            {
                var factor = T.Create(factors[i * step]);
                float* from = b.Row(i) + first + j;
                low = T.MultiplyAdd(factor, SimdMath.Load<T>(from, left), low);
                if (left > T.Width) high = T.MultiplyAdd(factor, SimdMath.Load<T>(from + T.Width, left - T.Width), high);
            }

            SimdMath.Store(low, sums + j, left);
            if (left > T.Width) SimdMath.Store(high, sums + j + T.Width, left - T.Width);
        }
    }

    private void Finish(float* target, float* sums, int first, int count)
    {
        for (int j = 0; j < count; j++)
        {
            float value = accumulate ? target[j] + sums[j] : sums[j];
            target[j] = bias.IsEmpty ? value : value + bias.Data[first + j];
        }
    }
}
