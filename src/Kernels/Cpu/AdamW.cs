using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>Family adamw: the update in one pass over memory. Variants: vector512, vector256, vector128.</summary>
internal abstract class AdamW
{
    /// <summary>See <see cref="Device.AdamW"/>; copy may be no view.</summary>
    public abstract void Run(View master, View copy, View gradient, View m, View v, in AdamWStep step, double gradientFactor);
}

/// <inheritdoc/>
internal sealed unsafe class AdamW<T>(CpuContext context) : AdamW
    where T : unmanaged, ISimd<T>
{
    public override void Run(View master, View copy, View gradient, View m, View v, in AdamWStep step, double gradientFactor)
    {
        bool isDense = master.IsDense && copy.IsDense && gradient.IsDense && m.IsDense && v.IsDense;
        var work = new Work(master, copy, gradient, m, v, new Factors(step, gradientFactor));
        new SpanParts<Work>(work, master.Rows, master.Columns, isDense).Run(context.Team);
    }

    /// <summary>The constants of a step, rounded once.</summary>
    private readonly struct Factors(in AdamWStep step, double gradientFactor)
    {
        public readonly float Gradient = (float)gradientFactor;
        public readonly float AddedDecay = step.Decoupled ? 0 : (float)step.WeightDecay;
        public readonly float Shrink = step.Decoupled ? (float)(1 - step.LearningRate * step.WeightDecay) : 1;
        public readonly float Beta1 = (float)step.Beta1;
        public readonly float Rest1 = (float)(1 - step.Beta1);
        public readonly float Beta2 = (float)step.Beta2;
        public readonly float Rest2 = (float)(1 - step.Beta2);
        public readonly float Rate = (float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)));
        public readonly float RootCorrection = (float)Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step));
        public readonly float Epsilon = (float)step.Epsilon;
    }

    private readonly struct Work(View master, View copy, View gradient, View m, View v, Factors factors) : ISpanWork
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(long row, long column, long count)
        {
            float* weights = master.Row(row) + column, gradients = gradient.Row(row) + column;
            float* first = m.Row(row) + column, second = v.Row(row) + column;
            float* copies = copy.IsEmpty ? null : copy.Row(row) + column;
            for (long i = 0; i < count; i += T.Width)
            {
                long left = count - i;
                var weight = SimdMath.Load<T>(weights + i, left);
                var g = T.MultiplyAdd(T.Create(factors.AddedDecay), weight, T.Create(factors.Gradient) * SimdMath.Load<T>(gradients + i, left));
                var mean = T.MultiplyAdd(T.Create(factors.Beta1), SimdMath.Load<T>(first + i, left), T.Create(factors.Rest1) * g);
                var square = T.MultiplyAdd(T.Create(factors.Beta2), SimdMath.Load<T>(second + i, left), T.Create(factors.Rest2) * (g * g));
                var denominator = T.Sqrt(square) / T.Create(factors.RootCorrection) + T.Create(factors.Epsilon);
                weight = weight * T.Create(factors.Shrink) - T.Create(factors.Rate) * (mean / denominator);
                SimdMath.Store(mean, first + i, left);
                SimdMath.Store(square, second + i, left);
                SimdMath.Store(weight, weights + i, left);
                if (copies is not null) SimdMath.Store(weight, copies + i, left);
            }
        }
    }
}
