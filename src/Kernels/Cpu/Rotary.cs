using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>Family rotary: channels i and i + HS/2 of each head turn by a table's angle. Variants: vector512, vector256, vector128.</summary>
internal abstract unsafe class Rotary
{
    /// <summary>Turns x (N, heads * HS) in place; cos and sin are (P, HS / 2), positions N numbers below P.</summary>
    public abstract void Run(View x, View cos, View sin, int* positions, bool inverse);
}

/// <inheritdoc/>
internal sealed unsafe class Rotary<T>(CpuContext context) : Rotary
    where T : unmanaged, ISimd<T>
{
    public override void Run(View x, View cos, View sin, int* positions, bool inverse) =>
        new RowParts<Work>(new Work(x, cos, sin, positions, inverse ? -1f : 1f), x.Rows, x.Columns).Run(context.Team);

    private readonly struct Work(View x, View cos, View sin, int* positions, float direction) : IRowWork
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int row)
        {
            int half = cos.Columns;
            float* cosines = cos.Row(positions[row]), sines = sin.Row(positions[row]);
            var sign = T.Create(direction);
            for (int head = 0; head < x.Columns; head += 2 * half)
            {
                float* low = x.Row(row) + head, high = low + half;
                for (int i = 0; i < half; i += T.Width)
                {
                    int left = half - i;
                    T a = SimdMath.Load<T>(low + i, left), b = SimdMath.Load<T>(high + i, left);
                    T c = SimdMath.Load<T>(cosines + i, left), s = sign * SimdMath.Load<T>(sines + i, left);
                    SimdMath.Store(a * c - b * s, low + i, left);
                    SimdMath.Store(T.MultiplyAdd(b, c, a * s), high + i, left);
                }
            }
        }
    }
}
