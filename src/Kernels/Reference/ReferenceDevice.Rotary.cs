namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    protected override void RotaryCore(Tensor x, Tensor cos, Tensor sin, Indices positions, bool inverse)
    {
        var (values, cosines, sines) = (Real(x), Real(cos), Real(sin));
        var rowPositions = RowNumbers(nameof(Rotary), positions, cos.Rows);
        int half = cos.Columns;
        for (int r = 0; r < x.Rows; r++)
        {
            int position = rowPositions[r];
            for (int head = 0; head < x.Columns; head += 2 * half)
            {
                for (int i = 0; i < half; i++)
                {
                    var (c, s) = (cosines[position, i], inverse ? -sines[position, i] : sines[position, i]);
                    var (a, b) = (values[r, head + i], values[r, head + half + i]);
                    values[r, head + i] = a * c - b * s;
                    values[r, head + half + i] = b * c + a * s;
                }
            }
        }
    }
}
