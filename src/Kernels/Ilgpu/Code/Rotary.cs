using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>Family rotary: a thread per pair of channels, in place.</summary>
internal static class RotaryCode
{
    /// <param name="x">(N, heads * HS).</param>
    /// <param name="cos">(P, HS / 2).</param>
    /// <param name="sin">(P, HS / 2).</param>
    /// <param name="positions">N values.</param>
    /// <param name="sign">1, or -1 to turn back.</param>
    public static void Turn(Matrix x, Matrix cos, Matrix sin, ArrayView<int> positions, float sign)
    {
        int half = cos.Columns;
        for (int row = Grid.IdxY; row < x.Rows; row += Grid.DimY)
        {
            int position = positions[row];
            for (int pair = ElementwiseCode.FirstColumn(); pair < x.Columns / 2; pair += ElementwiseCode.ColumnStep())
            {
                int head = pair / half, i = pair - head * half, first = head * 2 * half + i;
                float c = cos[position, i], s = sign * sin[position, i];
                float a = x[row, first], b = x[row, first + half];
                x[row, first] = a * c - b * s;
                x[row, first + half] = b * c + a * s;
            }
        }
    }
}
