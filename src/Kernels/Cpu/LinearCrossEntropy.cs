using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Family linear_cross_entropy, in chunks of as many rows as the workspace holds: logits by the matrix product, then row by
/// row the maximum, the exponentials (in place) with their sum in float64, the loss and dz; then dX = dz W and
/// dWeight += dz^T x. Nothing is computed twice. Variants: vector512, vector256, vector128 for the rows; the products are
/// family matmul's.
/// </summary>
internal abstract unsafe class LinearCrossEntropy
{
    /// <summary>See <see cref="Device.LinearCrossEntropy"/>; dX and dWeight may be no views.</summary>
    public abstract void Run(
        View losses, View x, View weight, int* targets, double gradientFactor, View dX, View dWeight, View workspace);
}

/// <inheritdoc/>
internal sealed unsafe class LinearCrossEntropy<T>(CpuContext context, Matmul matmul) : LinearCrossEntropy
    where T : unmanaged, ISimd<T>
{
    public override void Run(
        View losses, View x, View weight, int* targets, double gradientFactor, View dX, View dWeight, View workspace)
    {
        for (int start = 0; start < x.Rows; start += workspace.Rows)
        {
            int count = Math.Min(workspace.Rows, x.Rows - start);
            View rows = x.RowRange(start, count), logits = workspace.RowRange(0, count);
            matmul.Run(logits, rows, weight, MatmulForm.NT, accumulate: false, bias: default);
            var work = new RowWork(logits, losses.Data + start, targets + start, gradientFactor, !dX.IsEmpty);
            new RowParts<RowWork>(work, count, logits.Columns).Run(context.Team);
            if (dX.IsEmpty) continue;
            matmul.Run(dX.RowRange(start, count), logits, weight, MatmulForm.NN, accumulate: false, bias: default);
            matmul.Run(dWeight, logits, rows, MatmulForm.TN, accumulate: true, bias: default);
        }
    }

    private readonly struct RowWork(View logits, float* losses, int* targets, double factor, bool gradients) : IRowWork
    {
        public void Run(int row)
        {
            float* z = logits.Row(row);
            int target = targets[row];
            float max = SimdMath.MaxOf<T>(z, logits.Columns), chosen = z[target];
            double sum = Exponentials(z, max);
            losses[row] = (float)(Math.Log(sum) + ((double)max - chosen));
            if (!gradients) return;
            double probability = Math.Exp((double)chosen - max) / sum;
            SimdMath.Scale<T>(z, logits.Columns, (float)(factor / sum));
            z[target] = (float)(factor * (probability - 1));
        }

        /// <summary>z = exp(z - max), and their sum.</summary>
        [MethodImpl(KernelLoop.Options)]
        private double Exponentials(float* z, float max)
        {
            T shift = T.Create(max), low = default, high = default;
            for (int i = 0; i < logits.Columns; i += T.Width)
            {
                int left = logits.Columns - i;
                var e = SimdMath.Exp(SimdMath.Load<T>(z + i, left) - shift);
                SimdMath.Store(e, z + i, left);
                if (left < T.Width) e = SimdMath.Load<T>(z + i, left);
                low = T.AddDouble(low, T.WidenLower(e));
                high = T.AddDouble(high, T.WidenUpper(e));
            }

            return T.SumDouble(T.AddDouble(low, high));
        }
    }
}
