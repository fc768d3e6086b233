namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    protected override void RmsNormForwardCore(Tensor output, Tensor rstd, Tensor x, Tensor weight, double epsilon)
    {
        var (to, scale, from, w) = (Real(output), Real(rstd), Real(x), Real(weight));
        int size = weight.Columns;
        for (int r = 0; r < x.Rows; r++)
        {
            for (int group = 0; group < rstd.Columns; group++)
            {
                int first = group * size;
                var squares = TReal.Zero;
                for (int c = 0; c < size; c++) squares += from[r, first + c] * from[r, first + c];
                var reciprocal = TReal.One / TReal.Sqrt(squares / TReal.CreateTruncating(size) + ToReal(epsilon));
                scale[r, group] = reciprocal;
                for (int c = 0; c < size; c++) to[r, first + c] = from[r, first + c] * reciprocal * w[0, c];
            }
        }
    }

    protected override void AddRmsNormForwardCore(
        Tensor output, Tensor sum, Tensor rstd, Tensor x, Tensor addend, Tensor weight, double epsilon)
    {
        var (total, from, other) = (Real(sum), Real(x), Real(addend));
        // Where output is x or addend it overwrites them after the last of them was read.
        for (int r = 0; r < x.Rows; r++)
        {
            for (int c = 0; c < x.Columns; c++) total[r, c] = from[r, c] + other[r, c];
        }

        RmsNormForwardCore(output, rstd, sum, weight, epsilon);
    }

    protected override void RmsNormBackwardCore(
        Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate)
    {
        var (to, toWeight, d) = (Real(dX), Real(dWeight), Real(dOutput));
        var (from, w, scale) = (Real(x), Real(weight), Real(rstd));
        int size = weight.Columns;
        for (int r = 0; r < x.Rows; r++)
        {
            for (int group = 0; group < rstd.Columns; group++)
            {
                int first = group * size;
                var reciprocal = scale[r, group];
                var dot = TReal.Zero;
                for (int c = 0; c < size; c++) dot += d[r, first + c] * w[0, c] * from[r, first + c];
                var mean = dot / TReal.CreateTruncating(size) * reciprocal * reciprocal;
                for (int c = 0; c < size; c++)
                {
                    // dX may be dOutput itself, so its element is read before it is written.
                    var (value, gradient) = (from[r, first + c], d[r, first + c]);
                    var result = reciprocal * (gradient * w[0, c] - value * mean);
                    toWeight[0, c] += gradient * value * reciprocal;
                    to[r, first + c] = accumulate ? to[r, first + c] + result : result;
                }
            }
        }
    }
}
