using ILGPU;
using ILGPU.Algorithms;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Sums in two stages, in float64: every group adds a fixed share of the elements and leaves one number, then a single group
/// adds those. No atomics: the order follows from the shape and the grid, which the launch derives from the shape.
/// </summary>
internal static class SumsCode
{
    /// <summary>partials[group] = sum of its share of the values, or of their squares.</summary>
    public static void Partial(ArrayView<double> partials, Matrix values, int isSquared)
    {
        var scratch = SharedMemory.Allocate<double>(GroupReduce.MaxThreads);
        double sum = 0;
        for (int row = Grid.IdxY; row < values.Rows; row += Grid.DimY)
        {
            for (int column = ElementwiseCode.FirstColumn(); column < values.Columns; column += ElementwiseCode.ColumnStep())
            {
                double value = values[row, column];
                sum += isSquared != 0 ? value * value : value;
            }
        }

        sum = GroupReduce.All<double, DoubleSum>(scratch, sum);
        if (Group.IdxX == 0) partials[Grid.IdxY * Grid.DimX + Grid.IdxX] = sum;
    }

    /// <summary>result = constant + factor * sum of values, or result += where <paramref name="isAdded"/> is not 0. One group.</summary>
    public static void Final(ScalarMatrix result, ScalarMatrix values, double factor, double constant, int isAdded)
    {
        var scratch = SharedMemory.Allocate<double>(GroupReduce.MaxThreads);
        double sum = 0;
        for (int row = 0; row < values.Rows; row++)
        {
            for (int column = Group.IdxX; column < values.Columns; column += Group.DimX) sum += values[row, column];
        }

        sum = GroupReduce.All<double, DoubleSum>(scratch, sum);
        if (Group.IdxX != 0) return;
        double before = isAdded != 0 ? result[0, 0] : constant;
        result[0, 0] = before + factor * sum;
    }

    /// <summary>result = (a, 1 / a) with a = sum(terms) / divisor + offset. One thread: there are a few dozen terms.</summary>
    public static void Ascent(ScalarMatrix result, ScalarMatrix terms, double divisor, double offset)
    {
        if (Group.IdxX != 0) return;
        double sum = 0;
        for (int column = 0; column < terms.Columns; column++) sum += terms[0, column];
        double ascent = sum / divisor + offset;
        result[0, 0] = ascent;
        result[0, 1] = 1.0 / ascent;
    }

    /// <summary>result = (norm, factor) as torch's clip_grad_norm_; NaN passes.</summary>
    public static void ClipFactor(ScalarMatrix result, ScalarMatrix squaredNorm, double maxNorm, double scale)
    {
        const double Epsilon = 1e-6;
        if (Group.IdxX != 0) return;
        double norm = scale * XMath.Sqrt(squaredNorm[0, 0]);
        double quotient = maxNorm / (norm + Epsilon);
        double clip = maxNorm == 0 || quotient >= 1 ? 1 : quotient;
        result[0, 0] = norm;
        result[0, 1] = scale * clip;
    }
}
