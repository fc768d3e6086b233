using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Whole-tensor helpers on float32 memory: fill, copy, scaled addition and sums. Memory-bound; spans are independent, sums run
/// over chunks of a fixed size in float64, added in order. Variants: vector512, vector256, vector128.
/// </summary>
internal abstract unsafe class Elementwise
{
    public abstract void Fill(View target, float value);

    public abstract void Copy(View target, View source);

    /// <summary>target += factor * source.</summary>
    public abstract void AddScaled(View target, View source, float factor);

    /// <summary>Sum of all elements, or of their squares, in float64.</summary>
    public abstract double Sum(View values, bool squared);

    /// <summary>Room for the partial sums of a sum, one for each chunk.</summary>
    public abstract double* Partials(View values);
}

/// <inheritdoc/>
internal sealed unsafe class Elementwise<T>(CpuContext context) : Elementwise
    where T : unmanaged, ISimd<T>
{
    /// <summary>Elements of a partial sum; part of what a sum's bits are, like the register.</summary>
    private const int ChunkElements = 32768;

    public override void Fill(View target, float value)
    {
        context.NoteTraffic(read: 0, written: target.Length);
        new SpanParts<FillWork>(new FillWork(target, value), target.Rows, target.Columns, target.IsDense).Run(context.Team);
    }

    public override void Copy(View target, View source)
    {
        context.NoteTraffic(source.Length, target.Length);
        new SpanParts<CopyWork>(
            new CopyWork(target, source), target.Rows, target.Columns, target.IsDense && source.IsDense).Run(context.Team);
    }

    public override void AddScaled(View target, View source, float factor)
    {
        context.NoteTraffic(source.Length, target.Length);
        new SpanParts<AddWork>(
            new AddWork(target, source, factor), target.Rows, target.Columns, target.IsDense && source.IsDense).Run(context.Team);
    }

    public override double Sum(View values, bool squared)
    {
        if (values.Rows == 0 || values.Columns == 0) return 0;
        var (rows, columns, chunks) = Cut(values);
        double* partial = Partials(values);
        context.NoteTraffic(values.Length, 2L * chunks);
        context.Team.Run(new SumWork(values, columns, chunks / (int)rows, squared, partial), chunks);
        double sum = 0;
        for (int i = 0; i < chunks; i++) sum += partial[i];
        return sum;
    }

    public override double* Partials(View values) => (double*)context.Shared(2L * Cut(values).Chunks);

    /// <summary>A matrix, or its elements as one row, in chunks.</summary>
    private static (long Rows, long Columns, int Chunks) Cut(View values)
    {
        long rows = values.IsDense ? 1 : values.Rows;
        long columns = values.IsDense ? (long)values.Rows * values.Columns : values.Columns;
        return (rows, columns, checked((int)((columns + ChunkElements - 1) / ChunkElements * rows)));
    }

    private readonly struct FillWork(View target, float value) : ISpanWork
    {
        public void Run(long row, long column, long count) =>
            new Span<float>(target.Row(row) + column, (int)count).Fill(value);
    }

    private readonly struct CopyWork(View target, View source) : ISpanWork
    {
        public void Run(long row, long column, long count) => Buffer.MemoryCopy(
            source.Row(row) + column, target.Row(row) + column, count * sizeof(float), count * sizeof(float));
    }

    private readonly struct AddWork(View target, View source, float factor) : ISpanWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(long row, long column, long count)
        {
            SimdMath.AddScaled<T>(target.Row(row) + column, source.Row(row) + column, count, factor);
        }
    }

    private readonly struct SumWork(View values, long columns, int chunksPerRow, bool squared, double* partial) : IWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(int part, int worker)
        {
            long start = (long)(part % chunksPerRow) * ChunkElements;
            long count = Math.Min(ChunkElements, columns - start);
            float* from = values.Row(part / chunksPerRow) + start;
            partial[part] = squared ? SimdMath.SquaresWide<T>(from, count) : SimdMath.SumWide<T>(from, count);
        }
    }
}
