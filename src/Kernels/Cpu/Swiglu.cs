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
    public override void Forward(View output, View gate, View up)
    {
        context.NoteTraffic(gate.Length + up.Length, output.Length);
        new SpanParts<ForwardWork>(
            new ForwardWork(output, gate, up), gate.Rows, gate.Columns, output.IsDense && gate.IsDense && up.IsDense).Run(context.Team);
    }

    public override void Backward(View dGate, View dUp, View dOutput, View gate, View up)
    {
        long readOnly = (dGate.Data == gate.Data ? 0 : gate.Length) + (dUp.Data == up.Data ? 0 : up.Length);
        context.NoteTraffic(dOutput.Length + readOnly, dGate.Length + dUp.Length);
        new SpanParts<BackwardWork>(
            new BackwardWork(dGate, dUp, dOutput, gate, up), gate.Rows, gate.Columns,
            dGate.IsDense && dUp.IsDense && dOutput.IsDense && gate.IsDense && up.IsDense).Run(context.Team);
    }

    /// <summary>
    /// 1 / (1 + exp(-z)). By division and not by an estimated reciprocal: 1 / Inf is 0, and silu(-Inf) the reference's NaN.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Sigmoid(T z) => T.Create(1f) / (T.Create(1f) + SimdMath.Exp(default(T) - z));

    private readonly struct ForwardWork(View output, View gate, View up) : ISpanWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(long row, long column, long count)
        {
            float* to = output.Row(row) + column, gates = gate.Row(row) + column, ups = up.Row(row) + column;
            long i = 0;
            for (; i + T.Width <= count; i += T.Width) T.Store(Value(T.Load(gates + i), T.Load(ups + i)), to + i);
            int left = (int)(count - i);
            if (left > 0) T.StorePartial(Value(T.LoadPartial(gates + i, left), T.LoadPartial(ups + i, left)), to + i, left);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static T Value(T z, T u) => z * Sigmoid(z) * u;
    }

    private readonly struct BackwardWork(View dGate, View dUp, View dOutput, View gate, View up) : ISpanWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(long row, long column, long count)
        {
            float* toGate = dGate.Row(row) + column, toUp = dUp.Row(row) + column;
            float* from = dOutput.Row(row) + column, gates = gate.Row(row) + column, ups = up.Row(row) + column;
            long i = 0;
            for (; i + T.Width <= count; i += T.Width)
            {
                var (g, u) = Gradients(T.Load(from + i), T.Load(gates + i), T.Load(ups + i));
                T.Store(u, toUp + i);
                T.Store(g, toGate + i);
            }

            int left = (int)(count - i);
            if (left <= 0) return;
            var (lastGate, lastUp) = Gradients(T.LoadPartial(from + i, left), T.LoadPartial(gates + i, left), T.LoadPartial(ups + i, left));
            T.StorePartial(lastUp, toUp + i, left);
            T.StorePartial(lastGate, toGate + i, left);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static (T DGate, T DUp) Gradients(T d, T z, T u)
        {
            T one = T.Create(1f), s = Sigmoid(z);
            return (d * u * s * (one + z * (one - s)), d * (z * s));
        }
    }
}
