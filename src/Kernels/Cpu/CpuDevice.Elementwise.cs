namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Whole-tensor helpers. float32 goes to the kernels; scalars, of which there are a few, and conversions between the two
/// formats are loops here.
/// </summary>
public sealed unsafe partial class CpuDevice
{
    protected override void FillCore(Tensor target, double value)
    {
        if (!IsScalar(target))
        {
            kernels.Elementwise.Fill(View.Of(target), (float)value);
            return;
        }

        NoteScalars(read: 0, target.Length);
        for (int row = 0; row < target.Rows; row++) ScalarRow(target, row).Fill(value);
    }

    protected override void CopyCore(Tensor target, Tensor source)
    {
        if (!IsScalar(target) && !IsScalar(source))
        {
            kernels.Elementwise.Copy(View.Of(target), View.Of(source));
            return;
        }

        NoteScalars(source.Length, target.Length);
        for (int row = 0; row < target.Rows; row++)
        {
            if (!IsScalar(source)) Widen(FloatRow(source, row), ScalarRow(target, row));
            else if (IsScalar(target)) ScalarRow(source, row).CopyTo(ScalarRow(target, row));
            else Round(ScalarRow(source, row), FloatRow(target, row));
        }
    }

    protected override void AddScaledCore(Tensor target, Tensor source, double factor, Tensor deviceFactor)
    {
        double combined = Combine(factor, deviceFactor);
        if (!IsScalar(target) && !IsScalar(source))
        {
            kernels.Elementwise.AddScaled(View.Of(target), View.Of(source), (float)combined);
            return;
        }

        NoteScalars(source.Length, target.Length);
        for (int row = 0; row < target.Rows; row++)
        {
            for (int column = 0; column < target.Columns; column++)
            {
                double sum = Value(target, row, column) + combined * Value(source, row, column);
                if (IsScalar(target)) ScalarRow(target, row)[column] = sum;
                else FloatRow(target, row)[column] = (float)sum;
            }
        }
    }

    protected override void SumIntoCore(Tensor result, Tensor values, double factor, double constant)
    {
        double sum = IsScalar(values) ? SumOfScalars(values) : kernels.Elementwise.Sum(View.Of(values), squared: false);
        NoteScalars(read: 0, written: 1);
        *View.Scalars(result) = constant + factor * sum;
    }

    /// <summary>Tells of what loops over scalars move; a float32 beside them counts as one.</summary>
    private void NoteScalars(long read, long written) => context.NoteTraffic(2 * read, 2 * written);

    private double SumOfScalars(Tensor values)
    {
        NoteScalars(values.Length, written: 0);
        double sum = 0;
        for (int row = 0; row < values.Rows; row++)
        {
            foreach (double value in ScalarRow(values, row)) sum += value;
        }

        return sum;
    }

    private static double Value(Tensor tensor, int row, int column) =>
        IsScalar(tensor) ? ScalarRow(tensor, row)[column] : FloatRow(tensor, row)[column];
}
