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
    public override void Forward(View output, View rstd, View x, View weight, double epsilon) =>
        new RowParts<ForwardWork>(new ForwardWork(output, rstd, x, weight, epsilon), x.Rows, x.Columns).Run(context.Team);

    public override void AddForward(View output, View sum, View rstd, View x, View addend, View weight, double epsilon) =>
        new RowParts<AddForwardWork>(new AddForwardWork(output, sum, rstd, x, addend, weight, epsilon), x.Rows, x.Columns).Run(context.Team);

    public override void Backward(View dX, View dWeight, View dOutput, View x, View weight, View rstd, bool accumulate)
    {
        // The weight first: it reads dOutput, which dX may overwrite.
        ColumnSums<T>.Run(context.Team, dWeight, dOutput, x, rstd);
        new RowParts<BackwardWork>(new BackwardWork(dX, dOutput, x, weight, rstd, accumulate), x.Rows, x.Columns).Run(context.Team);
    }

    public override void AddColumnSums(View target, View values) => ColumnSums<T>.Run(context.Team, target, values);

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

    private readonly struct BackwardWork(View dX, View dOutput, View x, View weight, View rstd, bool accumulate) : IRowWork
    {
        public void Run(int row)
        {
            int columns = weight.Columns;
            for (int group = 0; group < rstd.Columns; group++)
            {
                long at = (long)group * columns;
                Group(dX.Row(row) + at, dOutput.Row(row) + at, x.Row(row) + at, rstd.Row(row)[group], columns);
            }
        }

        [MethodImpl(KernelLoop.Options)]
        private void Group(float* to, float* from, float* values, float reciprocal, int columns)
        {
            double mean = Mean(from, values, columns) * reciprocal * reciprocal;
            T scale = T.Create(reciprocal), shift = T.Create((float)-mean);
            for (int i = 0; i < columns; i += T.Width)
            {
                int left = columns - i;
                var g = SimdMath.Load<T>(from + i, left) * SimdMath.Load<T>(weight.Data + i, left);
                var d = scale * T.MultiplyAdd(SimdMath.Load<T>(values + i, left), shift, g);
                if (accumulate) d = SimdMath.Load<T>(to + i, left) + d;
                SimdMath.Store(d, to + i, left);
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
