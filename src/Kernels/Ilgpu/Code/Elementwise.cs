using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Whole-tensor helpers. A grid is (stretches of columns, rows); both loops stride by the grid, so any grid is right. Dense
/// tensors come as one long row.
/// </summary>
internal static class ElementwiseCode
{
    public static void Fill(Matrix target, float value)
    {
        for (int row = Grid.IdxY; row < target.Rows; row += Grid.DimY)
        {
            for (int column = FirstColumn(); column < target.Columns; column += ColumnStep()) target[row, column] = value;
        }
    }

    public static void FillScalars(ScalarMatrix target, double value)
    {
        for (int row = Grid.IdxY; row < target.Rows; row += Grid.DimY)
        {
            for (int column = FirstColumn(); column < target.Columns; column += ColumnStep()) target[row, column] = value;
        }
    }

    public static void Copy(Matrix target, Matrix source)
    {
        for (int row = Grid.IdxY; row < target.Rows; row += Grid.DimY)
        {
            for (int column = FirstColumn(); column < target.Columns; column += ColumnStep()) target[row, column] = source[row, column];
        }
    }

    public static void CopyScalars(ScalarMatrix target, ScalarMatrix source)
    {
        for (int row = Grid.IdxY; row < target.Rows; row += Grid.DimY)
        {
            for (int column = FirstColumn(); column < target.Columns; column += ColumnStep()) target[row, column] = source[row, column];
        }
    }

    public static void Widen(ScalarMatrix target, Matrix source)
    {
        for (int row = Grid.IdxY; row < target.Rows; row += Grid.DimY)
        {
            for (int column = FirstColumn(); column < target.Columns; column += ColumnStep()) target[row, column] = source[row, column];
        }
    }

    public static void Round(Matrix target, ScalarMatrix source)
    {
        for (int row = Grid.IdxY; row < target.Rows; row += Grid.DimY)
        {
            for (int column = FirstColumn(); column < target.Columns; column += ColumnStep()) target[row, column] = (float)source[row, column];
        }
    }

    /// <summary>target += factor * source.</summary>
    public static void AddScaled(Matrix target, Matrix source, DeviceFactor factor)
    {
        float scale = (float)factor.Value;
        for (int row = Grid.IdxY; row < target.Rows; row += Grid.DimY)
        {
            for (int column = FirstColumn(); column < target.Columns; column += ColumnStep())
                target[row, column] += scale * source[row, column];
        }
    }

    public static void AddScaledScalars(ScalarMatrix target, ScalarMatrix source, DeviceFactor factor)
    {
        double scale = factor.Value;
        for (int row = Grid.IdxY; row < target.Rows; row += Grid.DimY)
        {
            for (int column = FirstColumn(); column < target.Columns; column += ColumnStep())
                target[row, column] += scale * source[row, column];
        }
    }

    internal static int FirstColumn() => Grid.IdxX * Group.DimX + Group.IdxX;

    internal static int ColumnStep() => Grid.DimX * Group.DimX;
}
