using System.Globalization;

namespace RepNoise.Host.Profiling;

/// <summary>
/// Ratios of two things measured side by side, pair by pair, so that a machine whose speed changes changes both. Their centre is the median of
/// the means of all pairs of ratios (Hodges and Lehmann, 1963), with the interval that holds it with 95 % confidence by the signed-rank
/// test (Wilcoxon, 1945): as little moved by outliers as a median, and nearly as narrow as a mean's.
/// </summary>
internal sealed class PairedRatios
{
    private const double Deviations = 1.96; // of a normal distribution, 95 % within

    /// <param name="ratios">At least one, in any order.</param>
    public PairedRatios(IReadOnlyList<double> ratios)
    {
        int n = ratios.Count;
        double[] means = [.. Enumerable.Range(0, n).SelectMany(i => Enumerable.Range(i, n - i).Select(j => (ratios[i] + ratios[j]) / 2)).Order()];
        Centre = (means[(means.Length - 1) / 2] + means[means.Length / 2]) / 2;
        double pairs = (double)n * (n + 1), deviation = Math.Sqrt(pairs * (2 * n + 1) / 24);
        int outside = (int)Math.Max(0, Math.Floor(pairs / 4 - Deviations * deviation));
        (Low, High) = (means[outside], means[^(outside + 1)]);
    }

    public double Centre { get; }

    public double Low { get; }

    public double High { get; }

    /// <summary>Differences from 1: <c>+0.12 % (-0.31 to +0.50)</c>.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{100 * (Centre - 1):+0.00;-0.00} % ({100 * (Low - 1):+0.00;-0.00} to {100 * (High - 1):+0.00;-0.00})");
}
