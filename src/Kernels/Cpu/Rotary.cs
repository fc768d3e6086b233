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
    public override void Run(View x, View cos, View sin, int* positions, bool inverse)
    {
        context.NoteTraffic(read: 2L * Math.Min(x.Rows, cos.Rows) * cos.Columns, written: x.Length);
        new RowParts<Work>(new Work(x, cos, sin, positions, inverse ? -1f : 1f), x.Rows, x.Columns).Run(context.Team);
    }

    private readonly struct Work(View x, View cos, View sin, int* positions, float direction) : IRowWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(int row)
        {
            int half = cos.Columns;
            float* cosines = cos.Row(positions[row]), sines = sin.Row(positions[row]);
            var sign = T.Create(direction);
            for (int head = 0; head < x.Columns; head += 2 * half)
            {
                float* low = x.Row(row) + head, high = low + half;
                int i = 0;
                for (; i + T.Width <= half; i += T.Width)
                {
                    T a = T.Load(low + i), b = T.Load(high + i), c = T.Load(cosines + i), s = sign * T.Load(sines + i);
                    T.Store(a * c - b * s, low + i);
                    T.Store(T.MultiplyAdd(b, c, a * s), high + i);
                }

                int left = half - i;
                if (left <= 0) continue;
                T lastA = T.LoadPartial(low + i, left), lastB = T.LoadPartial(high + i, left);
                T lastC = T.LoadPartial(cosines + i, left), lastS = sign * T.LoadPartial(sines + i, left);
                T.StorePartial(lastA * lastC - lastB * lastS, low + i, left);
                T.StorePartial(T.MultiplyAdd(lastB, lastC, lastA * lastS), high + i, left);
            }
        }
    }
}
