namespace RepNoise.Host.Evaluation;

/// <summary>Means and their errors.</summary>
public static class Statistics
{
    /// <summary>Standard deviation of a sample (divided by n - 1); 0 for fewer than two values.</summary>
    public static double Deviation(IReadOnlyCollection<double> values)
    {
        if (values.Count < 2) return 0;
        double mean = values.Average();
        return Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1));
    }

    /// <summary>Standard error of the mean; 0 for fewer than two values.</summary>
    public static double StandardError(IReadOnlyCollection<double> values) => values.Count < 2 ? 0 : Deviation(values) / Math.Sqrt(values.Count);
}
