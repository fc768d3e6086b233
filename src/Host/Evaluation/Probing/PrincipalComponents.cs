using System.Numerics.Tensors;
using RepNoise.Kernels;

namespace RepNoise.Host.Evaluation.Probing;

/// <summary>
/// The two directions of largest variance of some vectors, and each vector's place on them. Subspace iteration on X^T X with a
/// block of eight from a fixed start, Rayleigh-Ritz at each step; the largest loading of a direction is positive.
/// </summary>
public sealed class PrincipalComponents
{
    private const int Block = 8;
    private const int MaxIterations = 1000;
    private const double Tolerance = 1e-13;

    private PrincipalComponents(double[] explained, double[][] points) => (Explained, Points) = (explained, points);

    /// <summary>Share of the total variance of each direction; 0 where there is no variance.</summary>
    public IReadOnlyList<double> Explained { get; }

    /// <summary>(n, 2): coordinates of each vector about the mean.</summary>
    public IReadOnlyList<double[]> Points { get; }

    /// <param name="rows">n vectors of one length.</param>
    public static PrincipalComponents Of(IReadOnlyList<float[]> rows)
    {
        double[][] x = Centered(rows);
        double total = x.Sum(row => TensorPrimitives.SumOfSquares<double>(row));
        var basis = Start(Math.Min(Block, x[0].Length), x[0].Length);
        double[] values = [];
        for (int iteration = 0; iteration < MaxIterations && total > 0; iteration++)
        {
            Orthonormalize(basis);
            double[][] image = [.. basis.Select(direction => Apply(x, direction))];
            var (eigenvalues, rotation) = SymmetricEigen.Of(Products(basis, image));
            basis = Rotate(image, rotation);
            bool settled = values.Length > 0 && Enumerable.Range(0, Math.Min(2, values.Length)).All(i => Math.Abs(eigenvalues[i] - values[i]) <= Tolerance * total);
            values = eigenvalues;
            if (settled && iteration > 30) break;
        }

        Orthonormalize(basis);
        var directions = basis.Take(2).Select(Signed).ToList();
        return new PrincipalComponents(
            [.. Enumerable.Range(0, 2).Select(i => total > 0 && i < values.Length ? Math.Max(0, values[i]) / total : 0)],
            [.. x.Select(row => (double[])[.. Enumerable.Range(0, 2).Select(i => total > 0 && i < directions.Count ? TensorPrimitives.Dot<double>(row, directions[i]) : 0)])]);
    }

    private static double[][] Centered(IReadOnlyList<float[]> rows)
    {
        var mean = new double[rows[0].Length];
        foreach (float[] row in rows)
        {
            for (int j = 0; j < mean.Length; j++) mean[j] += row[j] / (double)rows.Count;
        }

        return [.. rows.Select(row => row.Select((value, j) => value - mean[j]).ToArray())];
    }

    private static double[][] Start(int count, int length)
    {
        var random = new PhiloxSequence(0, PhiloxPurpose.Sampling, 0);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            var direction = new double[length];
            for (int j = 0; j < length; j++) direction[j] = random.NextDouble() - 0.5;
            return direction;
        })];
    }

    /// <summary>X^T X v.</summary>
    private static double[] Apply(double[][] x, double[] v)
    {
        var result = new double[v.Length];
        foreach (double[] row in x) TensorPrimitives.MultiplyAdd<double>(row, TensorPrimitives.Dot<double>(row, v), result, result);
        return result;
    }

    /// <summary>Modified Gram-Schmidt, twice; a direction that vanishes stays zero.</summary>
    private static void Orthonormalize(double[][] basis)
    {
        for (int i = 0; i < basis.Length; i++)
        {
            double before = Math.Sqrt(TensorPrimitives.SumOfSquares<double>(basis[i]));
            for (int pass = 0; pass < 2; pass++)
            {
                for (int j = 0; j < i; j++) TensorPrimitives.MultiplyAdd<double>(basis[j], -TensorPrimitives.Dot<double>(basis[i], basis[j]), basis[i], basis[i]);
            }

            double length = Math.Sqrt(TensorPrimitives.SumOfSquares<double>(basis[i]));
            TensorPrimitives.Multiply<double>(basis[i], length > 1e-12 * before && length > 0 ? 1 / length : 0, basis[i]);
        }
    }

    private static double[,] Products(double[][] a, double[][] b)
    {
        var products = new double[a.Length, a.Length];
        for (int i = 0; i < a.Length; i++)
        {
            for (int j = 0; j < a.Length; j++)
                products[i, j] = (TensorPrimitives.Dot<double>(a[i], b[j]) + TensorPrimitives.Dot<double>(a[j], b[i])) / 2;
        }

        return products;
    }

    private static double[][] Rotate(double[][] vectors, double[,] rotation) => [.. Enumerable.Range(0, vectors.Length).Select(k =>
    {
        var sum = new double[vectors[0].Length];
        for (int i = 0; i < vectors.Length; i++) TensorPrimitives.MultiplyAdd<double>(vectors[i], rotation[i, k], sum, sum);
        return sum;
    })];

    private static double[] Signed(double[] direction)
    {
        int largest = TensorPrimitives.IndexOfMaxMagnitude<double>(direction);
        return direction[largest] < 0 ? [.. direction.Select(value => -value)] : direction;
    }
}
