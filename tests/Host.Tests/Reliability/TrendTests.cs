using RepNoise.Reliability;

namespace RepNoise.Host.Tests.Reliability;

/// <summary>The test for a trend by which a soak shows that steps do not cost more with time.</summary>
public sealed class TrendTests
{
    /// <summary>
    /// By hand: of the 10 pairs of 5 rising values all rise, S = 10, variance 5 * 4 * 15 / 18, z = 9 / 4.0825. Of {1, 1, 2} two rise and one is a tie,
    /// S = 2, variance (3 * 2 * 11 - 2 * 1 * 9) / 18, z = 1 / 1.633.
    /// </summary>
    [Theory]
    [InlineData(new double[] { 1, 2, 3, 4, 5 }, 1, 2.20454)]
    [InlineData(new double[] { 5, 4, 3, 2, 1 }, -1, -2.20454)]
    [InlineData(new double[] { 1, 1, 2 }, 0.5, 0.61237)]
    [InlineData(new double[] { 7, 7, 7, 7 }, 0, 0)]
    public void Slope_and_statistic_are_those_of_Theil_Sen_and_Mann_Kendall(double[] values, double slope, double z)
    {
        var trend = Trend.Of([.. Enumerable.Range(0, values.Length).Select(i => (double)i)], values);
        Assert.Equal(slope, trend.Slope, 10);
        Assert.Equal(z, trend.Z, 5);
        Assert.InRange(trend.Slope, trend.Least, trend.Most);
    }

    /// <summary>Neighbours that make a tenth of the samples three times as dear, all late in the run, hide neither a flat nor a rising line.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(0.10)]
    public void A_tenth_of_disturbed_samples_does_not_decide(double rise)
    {
        var random = new Random(3);
        double[] times = [.. Enumerable.Range(0, 90).Select(i => i / 89.0)];
        double[] values = [.. times.Select((time, i) => (1 + rise * time) * (1 + 0.02 * (random.NextDouble() - 0.5)) * (i is >= 75 and < 84 ? 3 : 1))];
        var trend = Trend.Of(times, values);
        Assert.InRange(trend.Slope / trend.Center, rise - 0.02, rise + 0.02);
        Assert.Equal(rise < 0.05, trend.Most / trend.Center < 0.05);
    }

    [Fact]
    public void Two_values_have_no_trend() => Assert.Throws<ArgumentException>(() => Trend.Of([1, 2], [1, 2]));
}
