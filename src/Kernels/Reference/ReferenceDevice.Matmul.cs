namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    protected override void MatmulCore(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias)
    {
        var (rows, columns, inner) = MatmulShape(a, b, form);
        var (to, left, right) = (Real(c), Real(a), Real(b));
        for (int m = 0; m < rows; m++)
        {
            for (int n = 0; n < columns; n++)
            {
                var sum = TReal.Zero;
                for (int k = 0; k < inner; k++)
                {
                    var first = form == MatmulForm.TN ? left[k, m] : left[m, k];
                    var second = form == MatmulForm.NT ? right[n, k] : right[k, n];
                    sum += first * second;
                }

                if (!bias.IsEmpty) sum += Real(bias)[0, n];
                to[m, n] = accumulate ? to[m, n] + sum : sum;
            }
        }
    }

    protected override void BiasBackwardCore(Tensor dBias, Tensor dOutput)
    {
        var (to, from) = (Real(dBias), Real(dOutput));
        for (int n = 0; n < dOutput.Columns; n++)
        {
            for (int m = 0; m < dOutput.Rows; m++) to[0, n] += from[m, n];
        }
    }
}
