namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    protected override void FillCore(Tensor target, double value)
    {
        var to = Wide(target);
        for (int r = 0; r < target.Rows; r++)
        {
            for (int c = 0; c < target.Columns; c++) to[r, c] = value;
        }
    }

    protected override void CopyCore(Tensor target, Tensor source)
    {
        var (to, from) = (Wide(target), Wide(source));
        for (int r = 0; r < target.Rows; r++)
        {
            for (int c = 0; c < target.Columns; c++) to[r, c] = from[r, c];
        }
    }

    protected override void AddScaledCore(Tensor target, Tensor source, double factor, Tensor deviceFactor)
    {
        double combined = Combine(factor, deviceFactor);
        if (target.Buffer.Kind == BufferKind.Scalar) AddScaledWide(target, source, combined);
        else AddScaledReal(target, source, ToReal(combined));
    }

    protected override void SumIntoCore(Tensor result, Tensor values, double factor, double constant)
    {
        var from = Wide(values);
        double sum = 0;
        for (int r = 0; r < values.Rows; r++)
        {
            for (int c = 0; c < values.Columns; c++) sum += from[r, c];
        }

        Wide(result)[0, 0] = constant + factor * sum;
    }

    protected override void AscentValueCore(Tensor result, Tensor terms, double divisor, double offset)
    {
        var (to, from) = (Wide(result), Wide(terms));
        double sum = 0;
        for (int c = 0; c < terms.Columns; c++) sum += from[0, c];
        double ascent = sum / divisor + offset;
        (to[0, 0], to[0, 1]) = (ascent, 1 / ascent);
    }

    private static void AddScaledReal(Tensor target, Tensor source, TReal factor)
    {
        var (to, from) = (Real(target), Real(source));
        for (int r = 0; r < target.Rows; r++)
        {
            for (int c = 0; c < target.Columns; c++) to[r, c] += factor * from[r, c];
        }
    }

    private static void AddScaledWide(Tensor target, Tensor source, double factor)
    {
        var (to, from) = (Wide(target), Wide(source));
        for (int r = 0; r < target.Rows; r++)
        {
            for (int c = 0; c < target.Columns; c++) to[r, c] += factor * from[r, c];
        }
    }
}
