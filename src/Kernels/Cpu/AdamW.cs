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
        context.NoteTraffic(gradient.Length, 3 * master.Length + copy.Length);
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
        public readonly float RootCorrection = (float)(1 / Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step)));
        public readonly float Epsilon = (float)step.Epsilon;
    }

    private readonly struct Work(View master, View copy, View gradient, View m, View v, Factors factors) : ISpanWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(long row, long column, long count)
        {
            float* weights = master.Row(row) + column, gradients = gradient.Row(row) + column;
            float* first = m.Row(row) + column, second = v.Row(row) + column;
            float* copies = copy.IsEmpty ? null : copy.Row(row) + column;
            long i = 0;
            for (; i + T.Width <= count; i += T.Width)
            {
                T weight = T.Load(weights + i), mean = T.Load(first + i), square = T.Load(second + i);
                Update(ref weight, ref mean, ref square, T.Load(gradients + i));
                T.Store(mean, first + i);
                T.Store(square, second + i);
                T.Store(weight, weights + i);
                if (copies is not null) T.Store(weight, copies + i);
            }

            int left = (int)(count - i);
            if (left <= 0) return;
            T lastWeight = T.LoadPartial(weights + i, left), lastMean = T.LoadPartial(first + i, left), lastSquare = T.LoadPartial(second + i, left);
            Update(ref lastWeight, ref lastMean, ref lastSquare, T.LoadPartial(gradients + i, left));
            T.StorePartial(lastMean, first + i, left);
            T.StorePartial(lastSquare, second + i, left);
            T.StorePartial(lastWeight, weights + i, left);
            if (copies is not null) T.StorePartial(lastWeight, copies + i, left);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Update(ref T weight, ref T mean, ref T square, T gradient)
        {
            var g = T.MultiplyAdd(T.Create(factors.AddedDecay), weight, T.Create(factors.Gradient) * gradient);
            mean = T.MultiplyAdd(T.Create(factors.Beta1), mean, T.Create(factors.Rest1) * g);
            square = T.MultiplyAdd(T.Create(factors.Beta2), square, T.Create(factors.Rest2) * (g * g));
            var denominator = T.MultiplyAdd(T.Sqrt(square), T.Create(factors.RootCorrection), T.Create(factors.Epsilon));
            weight = weight * T.Create(factors.Shrink) - T.Create(factors.Rate) * (mean / denominator);
        }
    }
}
