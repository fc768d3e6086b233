namespace RepNoise.Host.Experiments;

/// <summary>Result of the test.</summary>
/// <param name="U">Of the first sample: pairs in which its value is the larger, ties counted half.</param>
/// <param name="P">Two-sided p-value.</param>
/// <param name="Effect">U over the number of pairs: the probability that a value of the first sample is the larger; 0.5 is no difference.</param>
/// <param name="Exact">True where p comes from the exact permutation distribution.</param>
public sealed record MannWhitneyResult(double U, double P, double Effect, bool Exact);

/// <summary>
/// Mann-Whitney U test (Mann and Whitney, 1947), two-sided. Up to 40 values in all p is exact: the distribution of the rank sum over all
/// ways to deal out the values, ties and all. Above, the normal approximation with the variance corrected for ties and a
/// continuity correction of one half.
/// </summary>
public static class MannWhitney
{
    /// <summary>Counting rank sums of 40 values takes about a million additions.</summary>
    private const int MostExact = 40;

    /// <param name="a">First sample, at least one value.</param>
    /// <param name="b">Second sample, at least one value.</param>
    public static MannWhitneyResult Test(IReadOnlyList<double> a, IReadOnlyList<double> b)
    {
        if (a.Count == 0 || b.Count == 0) throw new ArgumentException("both samples need a value");
        var (twice, ties) = TwiceRanks([.. a, .. b]);
        int sum = twice.Take(a.Count).Sum();
        double pairs = (double)a.Count * b.Count;
        double u = sum / 2.0 - a.Count * (a.Count + 1) / 2.0;
        bool exact = a.Count + b.Count <= MostExact;
        return new MannWhitneyResult(u, exact ? ExactP(twice, a.Count, sum) : NormalP(u, a.Count, b.Count, ties), u / pairs, exact);
    }

    /// <summary>Twice the rank of each value, which is whole where ties share a mean rank; and the sum of t^3 - t over groups of ties.</summary>
    private static (int[] Twice, double Ties) TwiceRanks(double[] values)
    {
        int[] order = [.. Enumerable.Range(0, values.Length).OrderBy(i => values[i])];
        var ranks = new int[values.Length];
        double ties = 0;
        for (int first = 0, next; first < order.Length; first = next)
        {
            for (next = first + 1; next < order.Length && values[order[next]] == values[order[first]];) next++;
            for (int i = first; i < next; i++) ranks[order[i]] = first + 1 + next;
            double t = next - first;
            ties += t * t * t - t;
        }

        return (ranks, ties);
    }

    /// <summary>Share of the ways to choose n of the ranks whose sum is at least as far from the mean as the one found.</summary>
    private static double ExactP(int[] twice, int n, int sum)
    {
        int total = twice.Sum();
        var ways = new double[n + 1][];
        for (int count = 0; count <= n; count++) ways[count] = new double[total + 1];
        ways[0][0] = 1;
        foreach (int rank in twice)
        {
            for (int count = n; count > 0; count--)
            {
                for (int s = total; s >= rank; s--) ways[count][s] += ways[count - 1][s - rank];
            }
        }

        // In units of 1 / (2 N): the mean of the sum is n / N of the total.
        long far = Math.Abs((long)sum * twice.Length - (long)n * total);
        double all = ways[n].Sum(), extreme = 0;
        for (int s = 0; s <= total; s++)
        {
            if (Math.Abs((long)s * twice.Length - (long)n * total) >= far) extreme += ways[n][s];
        }

        return Math.Min(1, extreme / all);
    }

    private static double NormalP(double u, int n, int m, double ties)
    {
        double count = n + m, variance = (double)n * m / 12 * (count + 1 - ties / (count * (count - 1)));
        if (variance <= 0) return 1;
        double z = Math.Max(0, Math.Abs(u - (double)n * m / 2) - 0.5) / Math.Sqrt(variance);
        return Math.Min(1, Erfc(z / Math.Sqrt(2)));
    }

    /// <summary>
    /// Complementary error function for x >= 0: the series of erf below 2, above it the continued fraction of erfc by Lentz's method
    /// (Numerical Recipes, 6.2), with a relative error of about 1e-12.
    /// </summary>
    private static double Erfc(double x)
    {
        if (x < 2)
        {
            double term = x, sum = x;
            for (int k = 1; Math.Abs(term) > 1e-18 * Math.Abs(sum); k++)
            {
                term *= -x * x / k;
                sum += term / (2 * k + 1);
                if (term == 0) break;
            }

            return 1 - 2 / Math.Sqrt(Math.PI) * sum;
        }

        double f = x, c = x, d = 0;
        for (int k = 1; k < 500; k++)
        {
            double a = k / 2.0;
            d = 1 / (x + a * d);
            c = x + a / c;
            double delta = c * d;
            f *= delta;
            if (Math.Abs(delta - 1) < 1e-16) break;
        }

        return Math.Exp(-x * x) / Math.Sqrt(Math.PI) / f;
    }
}
