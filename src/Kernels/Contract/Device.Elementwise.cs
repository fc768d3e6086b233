namespace RepNoise.Kernels;

/// <summary>Whole-tensor helpers: fill, copy, scaled addition, and the scalar arithmetic between loss terms.</summary>
public abstract partial class Device
{
    /// <summary>Sets every element to <paramref name="value"/>.</summary>
    public void Fill(Tensor target, double value)
    {
        using var observed = listener is null ? default : Observe(nameof(Fill), FillCost(target.Length, Size(target)));
        FillCore(target, value);
    }

    /// <summary>target = source; formats may differ (master weights to compute weights).</summary>
    public void Copy(Tensor target, Tensor source)
    {
        Check.Shape(nameof(Copy), target, source.Rows, source.Columns);
        using var observed = listener is null ? default : Observe(nameof(Copy), CopyCost(target.Length, Size(target), Size(source)));
        CopyCore(target, source);
    }

    /// <summary>target += factor * source, times a factor that lies on the device where <paramref name="deviceFactor"/> (1 x 1) is given.</summary>
    public void AddScaled(Tensor target, Tensor source, double factor = 1, Tensor deviceFactor = default)
    {
        Check.Shape(nameof(AddScaled), target, source.Rows, source.Columns);
        Check.OptionalShape(nameof(AddScaled), deviceFactor, 1, 1);
        using var observed = listener is null ? default : Observe(nameof(AddScaled), AddScaledCost(target.Length, Size(target)));
        AddScaledCore(target, source, factor, deviceFactor);
    }

    /// <summary>result (1, 1) = constant + factor * sum of all values, accumulated in the scalar format in a fixed order.</summary>
    public void SumInto(Tensor result, Tensor values, double factor, double constant)
    {
        Check.Shape(nameof(SumInto), result, 1, 1);
        using var observed = listener is null ? default : Observe(nameof(SumInto), SumCost(values.Length, Size(values)));
        SumIntoCore(result, values, factor, constant);
    }

    /// <summary>
    /// The ascent from its terms: result (1, 2) = (a, 1 / a) with <c>a = sum(terms) / divisor + offset</c>. The gradient of
    /// <c>-alpha * log(a)</c> with respect to a term is <c>-alpha / a / divisor</c>, so 1 / a scales what was accumulated unscaled.
    /// </summary>
    /// <param name="result">(1, 2), scalars: the ascent and its reciprocal.</param>
    /// <param name="terms">(1, n), scalars: one cross-entropy per lens depth and the final one.</param>
    /// <param name="divisor">L + 1 for the published loss, 1 without the lens.</param>
    /// <param name="offset">1 for the published loss, 0 without the lens.</param>
    public void AscentValue(Tensor result, Tensor terms, double divisor, double offset)
    {
        Check.Shape(nameof(AscentValue), result, 1, 2);
        Check.That(terms.Rows == 1, nameof(AscentValue), $"terms is {terms}", "one row");
        using var observed = listener is null ? default : Observe(nameof(AscentValue), SumCost(terms.Length, Size(terms)));
        AscentValueCore(result, terms, divisor, offset);
    }

    public static OpCost FillCost(long length, int size) => new(0, 1.0 * length * size);

    public static OpCost CopyCost(long length, int targetSize, int sourceSize) => new(0, 1.0 * length * (targetSize + sourceSize));

    public static OpCost SumCost(long length, int size) => new(length, 1.0 * length * size);

    public static OpCost AddScaledCost(long length, int size) => new(2.0 * length, 3.0 * length * size);

    protected abstract void FillCore(Tensor target, double value);

    protected abstract void CopyCore(Tensor target, Tensor source);

    protected abstract void AddScaledCore(Tensor target, Tensor source, double factor, Tensor deviceFactor);

    protected abstract void SumIntoCore(Tensor result, Tensor values, double factor, double constant);

    protected abstract void AscentValueCore(Tensor result, Tensor terms, double divisor, double offset);
}
