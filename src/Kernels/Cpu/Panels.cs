namespace RepNoise.Kernels.Cpu;

/// <summary>Whole small matrices in packed strips (see <see cref="MatmulTile{T}"/>): what attention multiplies.</summary>
internal static unsafe class Panels<T>
    where T : unmanaged, ISimd<T>
{
    /// <summary>Floats of a packed B of n columns and k rows.</summary>
    public static long Length(int n, int k) => (n + MatmulTile<T>.Columns - 1L) / MatmulTile<T>.Columns * MatmulTile<T>.Columns * k + MatmulTile<T>.Slack;

    /// <summary>B = rows^T: the columns of B are <paramref name="count"/> rows of <paramref name="k"/> elements.</summary>
    public static void Keys(float* target, float* rows, long stride, int count, int k)
    {
        int width = MatmulTile<T>.Columns;
        for (int column = 0; column < count; column += width, target += (long)width * k)
            MatmulTile<T>.PackLines(rows + column * stride, stride, Math.Min(width, count - column), width, k, target);
    }

    /// <summary>B = rows: <paramref name="count"/> rows of <paramref name="columns"/> elements.</summary>
    public static void Values(float* target, float* rows, long stride, int count, int columns)
    {
        int width = MatmulTile<T>.Columns;
        for (int column = 0; column < columns; column += width, target += (long)width * count)
            MatmulTile<T>.PackColumns(rows + column, stride, Math.Min(width, columns - column), width, count, target);
    }

    /// <summary>C (m, n) = or += A B with one strip of A (m at most <see cref="MatmulTile{T}.MaxRows"/>) and packed B.</summary>
    public static void Multiply(float* c, long stride, float* a, float* b, int m, int n, int k, bool accumulate)
    {
        int width = MatmulTile<T>.Columns;
        for (int column = 0; column < n; column += width, b += (long)width * k)
            MatmulTile<T>.RunPart(m, Math.Min(width, n - column), k, a, b, c + column, stride, accumulate, null);
    }
}
