using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Family norm: RMSNorm of each group of C columns, with the mean square, and the mean of its backward, in float64. Variants:
/// vector512, vector256, vector128.
/// </summary>
internal abstract class Norm
{
    /// <summary>output may be x.</summary>
    public abstract void Forward(View output, View rstd, View x, View weight, double epsilon);

    /// <summary>sum = x + addend, output = its norm, with the bits of <see cref="Forward"/>; one of the two may be x, or addend.</summary>
    public abstract void AddForward(View output, View sum, View rstd, View x, View addend, View weight, double epsilon);

    /// <summary>dX may be dOutput.</summary>
    public abstract void Backward(View dX, View dWeight, View dOutput, View x, View weight, View rstd, bool accumulate);

    /// <summary>target (1, C) += sum over rows of values (N, C): a bias's gradient, the same sum without the norm.</summary>
    public abstract void AddColumnSums(View target, View values);
}

/// <inheritdoc/>
internal sealed unsafe class Norm<T>(CpuContext context) : Norm
    where T : unmanaged, ISimd<T>
{
    public override void Forward(View output, View rstd, View x, View weight, double epsilon)
    {
        context.NoteTraffic((output.Data == x.Data ? 0 : x.Length) + weight.Length, output.Length + rstd.Length);
        new RowParts<ForwardWork>(new ForwardWork(output, rstd, x, weight, epsilon), x.Rows, x.Columns).Run(context.Team);
    }

    public override void AddForward(View output, View sum, View rstd, View x, View addend, View weight, double epsilon)
    {
        long readOnly = (IsWritten(x) ? 0 : x.Length) + (IsWritten(addend) ? 0 : addend.Length);
        context.NoteTraffic(readOnly + weight.Length, output.Length + sum.Length + rstd.Length);
        new RowParts<AddForwardWork>(new AddForwardWork(output, sum, rstd, x, addend, weight, epsilon), x.Rows, x.Columns).Run(context.Team);

        bool IsWritten(View input) => input.Data == output.Data || input.Data == sum.Data;
    }

    public override void Backward(View dX, View dWeight, View dOutput, View x, View weight, View rstd, bool accumulate)
    {
        if (x.Rows == 0) return;
        var cut = new Runs((long)x.Rows * rstd.Columns, weight.Columns);
        var sums = new View(context.Shared((long)cut.Count * weight.Columns), cut.Count, weight.Columns, weight.Columns);
        if (context.TrafficObserver is not null) NoteBackward(dX, dWeight, dOutput, x, rstd, sums);
        context.Team.Run(new BackwardWork(dX, sums, dOutput, x, weight, rstd, accumulate, cut), cut.Parts);
        ColumnSums<T>.Run(context.Team, dWeight, sums);
    }

    public override void AddColumnSums(View target, View values)
    {
        context.NoteTraffic(values.Length, target.Length);
        ColumnSums<T>.Run(context.Team, target, values);
    }

    /// <summary>One pass over dOutput and x; then the sums of all runs, which stay with a single thread at most.</summary>
    private void NoteBackward(View dX, View dWeight, View dOutput, View x, View rstd, View sums)
    {
        var traffic = new Traffic(context.CacheBytes);
        traffic.Read((dX.Data == dOutput.Data ? 0 : dOutput.Length) + x.Length + rstd.Length + dWeight.Length);
        traffic.Write(dX.Length + sums.Length + dWeight.Length);
        if (context.Team.Size > 1 || !traffic.Fits(sums.Length)) traffic.Read(sums.Length);
        context.Note(traffic);
    }

    /// <summary>to = from * reciprocal root mean square * weight; returns that reciprocal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Normalise(float* to, float* from, float* weight, int columns, double squares, double epsilon)
    {
        float reciprocal = (float)(1 / Math.Sqrt(squares / columns + epsilon));
        var scale = T.Create(reciprocal);
        for (int i = 0; i < columns; i += T.Width)
        {
            int left = columns - i;
            SimdMath.Store(SimdMath.Load<T>(from + i, left) * scale * SimdMath.Load<T>(weight + i, left), to + i, left);
        }

        return reciprocal;
    }

    private readonly struct ForwardWork(View output, View rstd, View x, View weight, double epsilon) : IRowWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(int row)
        {
            int columns = weight.Columns;
            for (int group = 0; group < rstd.Columns; group++)
            {
                float* from = x.Row(row) + group * columns, to = output.Row(row) + group * columns;
                rstd.Row(row)[group] = Normalise(to, from, weight.Data, columns, SimdMath.SquaresWide<T>(from, columns), epsilon);
            }
        }
    }

    private readonly struct AddForwardWork(View output, View sum, View rstd, View x, View addend, View weight, double epsilon) : IRowWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(int row)
        {
            int columns = weight.Columns;
            for (int group = 0; group < rstd.Columns; group++)
            {
                long at = (long)group * columns;
                float* total = sum.Row(row) + at;
                double squares = SimdMath.AddSquaresWide<T>(total, x.Row(row) + at, addend.Row(row) + at, columns);
                rstd.Row(row)[group] = Normalise(output.Row(row) + at, total, weight.Data, columns, squares, epsilon);
            }
        }
    }

    /// <summary>
    /// Groups of a matrix in runs, whose terms of dWeight add up in float32: of 16 groups, more only where there are so many that
    /// the runs' sums would take much memory. Follows from the shape alone, as the bits of dWeight do.
    /// </summary>
    private readonly struct Runs(long groups, int columns)
    {
        private const int Most = 1024;
        private const int LeastGroups = 16;
        private const int PartElements = 8192;

        public readonly long Groups = groups;
        public readonly long GroupsPerRun = Math.Max(LeastGroups, (groups + Most - 1) / Most);

        public int Count => (int)((Groups + GroupsPerRun - 1) / GroupsPerRun);

        public int PerPart => (int)Math.Max(1, PartElements / (GroupsPerRun * Math.Max(1, columns)));

        public int Parts => (Count + PerPart - 1) / PerPart;
    }

    /// <summary>dX, and the sums over each run (runs, C) of the terms of dWeight while dOutput and x are at hand.</summary>
    private readonly struct BackwardWork(
        View dX, View sums, View dOutput, View x, View weight, View rstd, bool accumulate, Runs runs) : IWork
    {
        public void Run(int part, int worker)
        {
            int columns = weight.Columns, groups = rstd.Columns, end = Math.Min(runs.Count, (part + 1) * runs.PerPart);
            for (int run = part * runs.PerPart; run < end; run++)
            {
                long first = run * runs.GroupsPerRun, last = Math.Min(runs.Groups, first + runs.GroupsPerRun);
                float* sum = sums.Row(run);
                new Span<float>(sum, columns).Clear();
                for (long item = first; item < last; item++)
                {
                    long row = item / groups, at = (item - row * groups) * columns;
                    Group(dX.Row(row) + at, sum, dOutput.Row(row) + at, x.Row(row) + at, rstd.Row(row)[item - row * groups], columns);
                }
            }
        }

        /// <summary>to may be from: an element is read before it is written.</summary>
        [MethodImpl(KernelLoop.Options)]
        private void Group(float* to, float* sum, float* from, float* values, float reciprocal, int columns)
        {
            double mean = Mean(from, values, columns) * reciprocal * reciprocal;
            T scale = T.Create(reciprocal), shift = T.Create((float)-mean);
            for (int i = 0; i < columns; i += T.Width)
            {
                int left = columns - i;
                T d = SimdMath.Load<T>(from + i, left), v = SimdMath.Load<T>(values + i, left);
                SimdMath.Store(SimdMath.Load<T>(sum + i, left) + d * (v * scale), sum + i, left);
                var g = scale * T.MultiplyAdd(v, shift, d * SimdMath.Load<T>(weight.Data + i, left));
                if (accumulate) g = SimdMath.Load<T>(to + i, left) + g;
                SimdMath.Store(g, to + i, left);
            }
        }

        /// <summary>mean(dOutput * weight * x).</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private double Mean(float* from, float* values, int columns)
        {
            T low = default, high = default;
            for (int i = 0; i < columns; i += T.Width)
            {
                int left = columns - i;
                var g = SimdMath.Load<T>(from + i, left) * SimdMath.Load<T>(weight.Data + i, left);
                var v = SimdMath.Load<T>(values + i, left);
                low = T.MultiplyAddDouble(T.WidenLower(g), T.WidenLower(v), low);
                high = T.MultiplyAddDouble(T.WidenUpper(g), T.WidenUpper(v), high);
            }

            return T.SumDouble(T.AddDouble(low, high)) / columns;
        }
    }
}
