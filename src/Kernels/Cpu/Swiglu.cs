using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Family swiglu: silu(gate) * up with the exponential of <see cref="SimdMath.Exp{T}"/>. Variants: vector512, vector256,
/// vector128.
/// </summary>
internal abstract class Swiglu
{
    public abstract void Forward(View output, View gate, View up);

    /// <summary>dGate may be gate, dUp may be up.</summary>
    public abstract void Backward(View dGate, View dUp, View dOutput, View gate, View up);
}

/// <inheritdoc/>
internal sealed unsafe class Swiglu<T>(CpuContext context) : Swiglu
    where T : unmanaged, ISimd<T>
{
    public override void Forward(View output, View gate, View up) => new SpanParts<ForwardWork>(
        new ForwardWork(output, gate, up), gate.Rows, gate.Columns, output.IsDense && gate.IsDense && up.IsDense).Run(context.Team);

    public override void Backward(View dGate, View dUp, View dOutput, View gate, View up) => new SpanParts<BackwardWork>(
        new BackwardWork(dGate, dUp, dOutput, gate, up), gate.Rows, gate.Columns,
        dGate.IsDense && dUp.IsDense && dOutput.IsDense && gate.IsDense && up.IsDense).Run(context.Team);

    /// <summary>1 + exp(-z): a divisor keeps z / Inf = 0 and the reference's NaN at -Inf.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Divisor(T z) => T.Create(1f) + SimdMath.Exp(default(T) - z);

    private readonly struct ForwardWork(View output, View gate, View up) : ISpanWork
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(long row, long column, long count)
        {
            float* to = output.Row(row) + column, gates = gate.Row(row) + column, ups = up.Row(row) + column;
            for (long i = 0; i < count; i += T.Width)
            {
                var z = SimdMath.Load<T>(gates + i, count - i);
                SimdMath.Store(z / Divisor(z) * SimdMath.Load<T>(ups + i, count - i), to + i, count - i);
            }
        }
    }

    private readonly struct BackwardWork(View dGate, View dUp, View dOutput, View gate, View up) : ISpanWork
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(long row, long column, long count)
        {
            float* toGate = dGate.Row(row) + column, toUp = dUp.Row(row) + column;
            float* from = dOutput.Row(row) + column, gates = gate.Row(row) + column, ups = up.Row(row) + column;
            var one = T.Create(1f);
            for (long i = 0; i < count; i += T.Width)
            {
                long left = count - i;
                T z = SimdMath.Load<T>(gates + i, left), u = SimdMath.Load<T>(ups + i, left), d = SimdMath.Load<T>(from + i, left);
                var divisor = Divisor(z);
                var s = one / divisor;
                SimdMath.Store(d * (z / divisor), toUp + i, left);
                SimdMath.Store(d * u * s * (one + z * (one - s)), toGate + i, left);
            }
        }
    }
}
