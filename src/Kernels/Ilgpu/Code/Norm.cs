using ILGPU;
using ILGPU.Algorithms;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Family norm: a group of threads for each (row, group of columns). The gradient of the weight is a sum over rows, in two
/// stages: each group of the first takes a run of rows and a stretch of columns, the second adds the runs in order.
/// </summary>
internal static class NormCode
{
    /// <param name="output">(N, G * C).</param>
    /// <param name="rstd">(N, G).</param>
    /// <param name="x">(N, G * C); may be output.</param>
    /// <param name="weight">(1, C).</param>
    /// <param name="epsilon">Added to the mean square.</param>
    public static void Forward(Matrix output, Matrix rstd, Matrix x, Matrix weight, float epsilon)
    {
        var scratch = SharedMemory.Allocate<float>(GroupReduce.MaxThreads);
        int groups = rstd.Columns, size = weight.Columns;
        for (int item = Grid.IdxX; item < x.Rows * groups; item += Grid.DimX)
        {
            int row = item / groups, group = item - row * groups, first = group * size;
            float squares = 0f;
            for (int i = Group.IdxX; i < size; i += Group.DimX)
            {
                float value = x[row, first + i];
                squares += value * value;
            }

            squares = GroupReduce.All<float, FloatSum>(scratch, squares);
            float reciprocal = 1f / XMath.Sqrt(squares / size + epsilon);
            if (Group.IdxX == 0) rstd[row, group] = reciprocal;
            for (int i = Group.IdxX; i < size; i += Group.DimX)
                output[row, first + i] = x[row, first + i] * reciprocal * weight[0, i];
        }
    }

    /// <summary>
    /// sum = x + addend, output = its norm. Each thread reads back the sums that it wrote itself; output may be x or addend, sum
    /// too, but not both the same.
    /// </summary>
    /// <param name="output">(N, G * C).</param>
    /// <param name="sum">(N, G * C).</param>
    /// <param name="rstd">(N, G).</param>
    /// <param name="x">(N, G * C).</param>
    /// <param name="addend">(N, G * C).</param>
    /// <param name="weight">(1, C).</param>
    /// <param name="epsilon">Added to the mean square.</param>
    public static void AddForward(Matrix output, Matrix sum, Matrix rstd, Matrix x, Matrix addend, Matrix weight, float epsilon)
    {
        var scratch = SharedMemory.Allocate<float>(GroupReduce.MaxThreads);
        int groups = rstd.Columns, size = weight.Columns;
        for (int item = Grid.IdxX; item < x.Rows * groups; item += Grid.DimX)
        {
            int row = item / groups, group = item - row * groups, first = group * size;
            float squares = 0f;
            for (int i = Group.IdxX; i < size; i += Group.DimX)
            {
                float value = x[row, first + i] + addend[row, first + i];
                sum[row, first + i] = value;
                squares += value * value;
            }

            squares = GroupReduce.All<float, FloatSum>(scratch, squares);
            float reciprocal = 1f / XMath.Sqrt(squares / size + epsilon);
            if (Group.IdxX == 0) rstd[row, group] = reciprocal;
            for (int i = Group.IdxX; i < size; i += Group.DimX)
                output[row, first + i] = sum[row, first + i] * reciprocal * weight[0, i];
        }
    }

    /// <summary>dX = rstd (g - x mean(g x) rstd^2), g = dOutput * weight; dX may be dOutput.</summary>
    public static void Backward(Matrix dX, Matrix dOutput, Matrix x, Matrix weight, Matrix rstd, int isAdded)
    {
        var scratch = SharedMemory.Allocate<float>(GroupReduce.MaxThreads);
        int groups = rstd.Columns, size = weight.Columns;
        for (int item = Grid.IdxX; item < x.Rows * groups; item += Grid.DimX)
        {
            int row = item / groups, group = item - row * groups, first = group * size;
            float dot = 0f;
            for (int i = Group.IdxX; i < size; i += Group.DimX) dot += dOutput[row, first + i] * weight[0, i] * x[row, first + i];
            dot = GroupReduce.All<float, FloatSum>(scratch, dot);
            float reciprocal = rstd[row, group], mean = dot / size * reciprocal * reciprocal;
            for (int i = Group.IdxX; i < size; i += Group.DimX)
            {
                float result = reciprocal * (dOutput[row, first + i] * weight[0, i] - x[row, first + i] * mean);
                dX[row, first + i] = isAdded != 0 ? dX[row, first + i] + result : result;
            }
        }
    }

    /// <summary>
    /// sums[run, c] = sum over the run's rows, and groups, of a, or of a * x * rstd where <paramref name="isWeighted"/> is not 0.
    /// Grid (stretches of columns, runs of rows).
    /// </summary>
    /// <param name="sums">(runs, C).</param>
    /// <param name="a">(N, G * C).</param>
    /// <param name="x">(N, G * C).</param>
    /// <param name="rstd">(N, G).</param>
    /// <param name="rowsOfRun">Rows of a run.</param>
    /// <param name="groups">G.</param>
    /// <param name="isWeighted">0 for plain sums, which read neither x nor rstd.</param>
    public static void ColumnSums(Matrix sums, Matrix a, Matrix x, Matrix rstd, int rowsOfRun, int groups, int isWeighted)
    {
        int column = ElementwiseCode.FirstColumn(), run = Grid.IdxY, end = (run + 1) * rowsOfRun;
        if (column >= sums.Columns) return;
        if (end > a.Rows) end = a.Rows;
        float sum = 0f;
        for (int row = run * rowsOfRun; row < end; row++)
        {
            for (int group = 0; group < groups; group++)
            {
                float value = a[row, group * sums.Columns + column];
                if (isWeighted != 0) value *= x[row, group * sums.Columns + column] * rstd[row, group];
                sum += value;
            }
        }

        sums[run, column] = sum;
    }

    /// <summary>target (1, C) += the runs' sums, in order, in float64.</summary>
    public static void AddColumnSums(Matrix target, Matrix sums)
    {
        int column = ElementwiseCode.FirstColumn();
        if (column >= target.Columns) return;
        double sum = 0;
        for (int run = 0; run < sums.Rows; run++) sum += sums[run, column];
        target[0, column] = (float)(target[0, column] + sum);
    }
}
