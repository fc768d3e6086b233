using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>How panels are filled: strips of lines, k outermost, so that the micro-kernel walks down memory.</summary>
internal readonly unsafe partial struct MatmulTile<T>
    where T : unmanaged, ISimd<T>
{
    /// <inheritdoc/>
    public static void PackRowLines(float* source, long stride, int rows, int k, float* strip, float* factors)
    {
        if (factors is null) PackLines(source, stride, rows, rows, k, strip);
        else PackLinesScaled(factors, source, stride, rows, rows, k, strip);
    }

    /// <inheritdoc/>
    public static void PackRowsAcross(float* source, long stride, int rows, int k, float* strip, float* factors)
    {
        if (factors is null) PackColumns(source, stride, rows, rows, k, strip);
        else PackColumnsScaled(factors, source, stride, rows, k, strip);
    }

    /// <inheritdoc/>
    public static void PackColumnLines(float* source, long stride, int columns, int k, float* strip) => PackLines(source, stride, columns, Columns, k, strip);

    /// <inheritdoc/>
    public static void PackColumnsAcross(float* source, long stride, int columns, int k, float* strip) => PackColumns(source, stride, columns, Columns, k, strip);

    /// <summary>
    /// A strip whose lines run along memory: <c>strip[k * width + i] = source[min(i, count - 1) * stride + k]</c>. Lines past
    /// the last repeat it; their products are never stored.
    /// </summary>
    /// <param name="source">First line.</param>
    /// <param name="stride">Elements from line to line.</param>
    /// <param name="count">Lines, 1 to <paramref name="width"/>.</param>
    /// <param name="width">Lines of the strip.</param>
    /// <param name="k">Elements of a line.</param>
    /// <param name="strip">(k, width) and <see cref="Slack"/> floats.</param>
    [MethodImpl(KernelLoop.Options)]
    public static void PackLines(float* source, long stride, int count, int width, int k, float* strip)
    {
        long* lines = stackalloc long[32];
        int lastRegister = (width - 1) / T.Width * T.Width;
        for (int i = 0; i < lastRegister + T.Width; i++) lines[i] = Math.Min(i, count - 1) * stride;
        int at = 0;
        for (; at + T.Width <= k; at += T.Width, strip += T.Width * width)
        {
            // The last register first: what it writes past the width, the first one overwrites.
            for (int i = lastRegister; i >= 0; i -= T.Width) T.Transpose(source + at, lines + i, strip + i, width);
        }

        for (; at < k; at++, strip += width)
        {
            for (int i = 0; i < width; i++) strip[i] = source[lines[i] + at];
        }
    }

    /// <summary>
    /// A strip whose lines run across memory: <c>strip[k * width + i] = source[k * stride + i]</c>; from count on anything, as
    /// those products are never stored.
    /// </summary>
    /// <param name="source">Element (0, 0).</param>
    /// <param name="stride">Elements from one k to the next.</param>
    /// <param name="count">Lines, 1 to <paramref name="width"/>.</param>
    /// <param name="width">Lines of the strip.</param>
    /// <param name="k">Elements of a line.</param>
    /// <param name="strip">(k, width) and <see cref="Slack"/> floats.</param>
    [MethodImpl(KernelLoop.Options)]
    public static void PackColumns(float* source, long stride, int count, int width, int k, float* strip)
    {
        // Whole registers may be read while the memory behind a row's end is the next rows'.
        long surplus = (width + T.Width - 1) / T.Width * T.Width - count;
        int whole = surplus == 0 ? k : (int)Math.Max(0, k - (surplus + stride - 1) / stride);
        int at = 0;
        if (width <= T.Width)
        {
            for (; at < whole; at++, source += stride, strip += width) T.Store(T.Load(source), strip);
        }
        else if (width == 2 * T.Width)
        {
            for (; at < whole; at++, source += stride, strip += width)
            {
                T x = T.Load(source), y = T.Load(source + T.Width);
                T.Store(x, strip);
                T.Store(y, strip + T.Width);
            }
        }
        else
        {
            for (; at < whole; at++, source += stride, strip += width)
            {
                for (int i = 0; i < width; i += T.Width) T.Store(T.Load(source + i), strip + i);
            }
        }

        for (; at < k; at++, source += stride, strip += width) new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(strip, width));
    }

    /// <summary><see cref="PackLines"/> with a factor for each line; factors are read in whole registers.</summary>
    [MethodImpl(KernelLoop.Options)]
    public static void PackLinesScaled(float* factors, float* source, long stride, int count, int width, int k, float* strip)
    {
        long* lines = stackalloc long[32];
        int lastRegister = (width - 1) / T.Width * T.Width;
        for (int i = 0; i < lastRegister + T.Width; i++) lines[i] = Math.Min(i, count - 1) * stride;
        int at = 0;
        for (; at + T.Width <= k; at += T.Width, strip += T.Width * width)
        {
            for (int i = lastRegister; i >= 0; i -= T.Width) T.TransposeScaled(T.Load(factors + i), source + at, lines + i, strip + i, width);
        }

        for (; at < k; at++, strip += width)
        {
            for (int i = 0; i < count; i++) strip[i] = factors[i] * source[lines[i] + at];
        }
    }

    /// <summary><see cref="PackColumns"/> of a strip without surplus lines, with a factor for each k.</summary>
    [MethodImpl(KernelLoop.Options)]
    public static void PackColumnsScaled(float* factors, float* source, long stride, int count, int k, float* strip)
    {
        long surplus = (count + T.Width - 1) / T.Width * T.Width - count;
        int at = 0, whole = (int)Math.Max(0, k - (surplus + stride - 1) / stride);
        for (; at < whole; at++, source += stride, strip += count)
        {
            var factor = T.Create(factors[at]);
            for (int i = 0; i < count; i += T.Width) T.Store(factor * T.Load(source + i), strip + i);
        }

        for (; at < k; at++, source += stride, strip += count)
        {
            for (int i = 0; i < count; i++) strip[i] = factors[at] * source[i];
        }
    }
}
