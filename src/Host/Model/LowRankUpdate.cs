using System.Numerics.Tensors;

namespace RepNoise.Host.Model;

/// <summary><c>scale * B A</c>, what an adapter adds to a weight once both are merged.</summary>
/// <param name="A">(r, inputs), row-major.</param>
/// <param name="B">(outputs, r), row-major.</param>
/// <param name="Columns">Inputs.</param>
/// <param name="Scale">alpha / r.</param>
internal sealed record LowRankUpdate(float[] A, float[] B, int Columns, double Scale)
{
    /// <summary>Adds it to values of the weight.</summary>
    /// <param name="offset">First element in row-major order.</param>
    /// <param name="target">The values from there on.</param>
    public void AddTo(long offset, Span<float> target)
    {
        int rank = A.Length / Columns;
        while (target.Length > 0)
        {
            int row = (int)(offset / Columns), column = (int)(offset % Columns), count = Math.Min(Columns - column, target.Length);
            var to = target[..count];
            for (int k = 0; k < rank; k++) TensorPrimitives.MultiplyAdd(A.AsSpan(k * Columns + column, count), (float)(Scale * B[row * rank + k]), to, to);
            offset += count;
            target = target[count..];
        }
    }
}
