namespace RepNoise.Reliability;

/// <summary>
/// Whether measurements rise with time: Kendall's rank correlation and its test (Mann, 1945), and the median of all slopes (Theil, 1950; Sen, 1968). Both
/// ask only for the order of the values, so that a few that a busy machine made larger, wherever they stand, change little; a comparison of the
/// two ends would take them for growth.
/// </summary>
/// <param name="Slope">The median slope, in the values' unit for one of the times.</param>
/// <param name="Center">The median of the values.</param>
/// <param name="Least">The slope lies above it with a certainty of 95 %.</param>
/// <param name="Most">The slope lies below it with a certainty of 95 %.</param>
/// <param name="Z">The test's statistic: normally distributed with mean 0 and variance 1 where there is no trend, positive where values rise.</param>
internal sealed record Trend(double Slope, double Center, double Least, double Most, double Z)
{
    /// <summary>A normal variable is below it in 95 of 100 cases.</summary>
    private const double OneSided = 1.645;

    /// <param name="times">Distinct times, ascending.</param>
    /// <param name="values">A value for each.</param>
    /// <exception cref="ArgumentException">There are fewer than three.</exception>
    public static Trend Of(IReadOnlyList<double> times, IReadOnlyList<double> values)
    {
        int n = values.Count;
        if (n < 3 || times.Count != n) throw new ArgumentException($"{times.Count} times and {n} values have no trend");
        var slopes = new List<double>(n * (n - 1) / 2);
        int rises = 0;
        for (int i = 0; i < n; i++)
        {
            for (int j = i + 1; j < n; j++)
            {
                slopes.Add((values[j] - values[i]) / (times[j] - times[i]));
                rises += Math.Sign(values[j] - values[i]);
            }
        }

        // Ties reduce the variance; the normal approximation holds from some ten values on.
        double ties = values.GroupBy(value => value).Sum(group => Term(group.Count()));
        double variance = (Term(n) - ties) / 18;
        double center = Median([.. values]), slope = Median(slopes), width = OneSided * Math.Sqrt(variance);
        return new Trend(
            slope, center, At((slopes.Count - width) / 2 - 1), At((slopes.Count + width) / 2), variance == 0 ? 0 : (rises - Math.Sign(rises)) / Math.Sqrt(variance));

        double At(double rank) => slopes[Math.Clamp((int)Math.Round(rank), 0, slopes.Count - 1)];

        static double Term(double count) => count * (count - 1) * (2 * count + 5);
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        int half = values.Count / 2;
        return values.Count % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    }
}
