namespace RepNoise.Host.Evaluation.Probing;

/// <summary>Eigenvalues of small symmetric matrices by Jacobi's cyclic rotations.</summary>
internal static class SymmetricEigen
{
    private const int MaxSweeps = 60;

    /// <summary>Eigenvalues in falling order and their vectors, the columns of the second result.</summary>
    public static (double[] Values, double[,] Vectors) Of(double[,] matrix)
    {
        int n = matrix.GetLength(0);
        var a = (double[,])matrix.Clone();
        var v = new double[n, n];
        for (int i = 0; i < n; i++) v[i, i] = 1;
        for (int sweep = 0; sweep < MaxSweeps && OffDiagonal(a) > 0; sweep++)
        {
            for (int p = 0; p < n; p++)
            {
                for (int q = p + 1; q < n; q++) Rotate(a, v, p, q);
            }
        }

        int[] order = [.. Enumerable.Range(0, n).OrderByDescending(i => a[i, i]).ThenBy(i => i)];
        var sorted = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            for (int k = 0; k < n; k++) sorted[i, k] = v[i, order[k]];
        }

        return ([.. order.Select(i => a[i, i])], sorted);
    }

    private static double OffDiagonal(double[,] a)
    {
        double sum = 0;
        for (int i = 0; i < a.GetLength(0); i++)
        {
            for (int j = i + 1; j < a.GetLength(0); j++) sum += a[i, j] * a[i, j];
        }

        return sum;
    }

    /// <summary>Makes element (p, q) zero.</summary>
    private static void Rotate(double[,] a, double[,] v, int p, int q)
    {
        if (a[p, q] == 0) return;
        double theta = (a[q, q] - a[p, p]) / (2 * a[p, q]);
        double t = (theta >= 0 ? 1 : -1) / (Math.Abs(theta) + Math.Sqrt(theta * theta + 1)), c = 1 / Math.Sqrt(t * t + 1), s = t * c;
        for (int i = 0; i < a.GetLength(0); i++) (a[i, p], a[i, q]) = (c * a[i, p] - s * a[i, q], s * a[i, p] + c * a[i, q]);
        for (int i = 0; i < a.GetLength(0); i++) (a[p, i], a[q, i]) = (c * a[p, i] - s * a[q, i], s * a[p, i] + c * a[q, i]);
        (a[p, q], a[q, p]) = (0, 0);
        for (int i = 0; i < a.GetLength(0); i++) (v[i, p], v[i, q]) = (c * v[i, p] - s * v[i, q], s * v[i, p] + c * v[i, q]);
    }
}
