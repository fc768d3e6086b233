using RepNoise.Host.Profiling;

namespace RepNoise.Host.Tests.Profiling;

public sealed class PairedRatiosTests
{
    /// <summary>Centres and intervals by the definitions, in Python.</summary>
    [Fact]
    public void An_outlier_moves_neither_centre_nor_lower_end_far()
    {
        double[] ratios = [0.92, 1.07, 1.01, 1.13, 0.98, 1.04, 1.02, 0.95, 1.10];
        AssertRatios(1.025, 0.965, 1.085, ratios);
        AssertRatios(1.04, 0.98, 2.975, [.. ratios, 5]);
    }

    /// <summary>Means of 1.00, 1.01, 1.02, 1.03: ten, the middle two 1.015; of so few all are within.</summary>
    [Fact]
    public void Of_a_few_ratios_all_means_are_within()
    {
        AssertRatios(1.015, 1, 1.03, [1.03, 1.0, 1.02, 1.01]);
        var ratios = new PairedRatios([1.03, 1.0, 1.02, 1.01]);
        Assert.Equal("+1.50 % (+0.00 to +3.00)", ratios.ToString());
    }

    private static void AssertRatios(double centre, double low, double high, double[] values)
    {
        var ratios = new PairedRatios(values);
        Assert.Equal(centre, ratios.Centre, 9);
        Assert.Equal(low, ratios.Low, 9);
        Assert.Equal(high, ratios.High, 9);
    }
}
