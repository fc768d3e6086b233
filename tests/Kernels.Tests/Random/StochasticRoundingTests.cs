namespace RepNoise.Kernels.Tests;

/// <summary>Stochastic rounding to bfloat16: which values it gives, how often, and that nothing but its counter decides.</summary>
public sealed class StochasticRoundingTests
{
    [Theory]
    [InlineData(1.0f)]
    [InlineData(1.00123f)]
    [InlineData(-3.14159274f)]
    [InlineData(0.999999f)] // the value above it has another exponent
    [InlineData(1e-30f)]
    [InlineData(1e-40f)] // subnormal
    [InlineData(0f)]
    public void The_mean_over_all_random_bits_is_the_value(float value)
    {
        double sum = 0;
        for (uint random = 0; random < 1 << 16; random++)
        {
            float rounded = StochasticRounding.Round(value, random);
            Assert.Equal(0u, BitConverter.SingleToUInt32Bits(rounded) & 0xFFFF);
            sum += rounded;
        }

        Assert.Equal(value, sum / (1 << 16), 1e-12 * Math.Abs(value)); // exact but for the sum's own rounding
    }

    [Theory]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(float.NaN)]
    public void What_is_no_number_stays(float value)
    {
        foreach (uint random in (uint[])[0, 1, 0x8000, 0xFFFF]) Assert.Equal(value, StochasticRounding.Round(value, random));
        // A NaN whose payload lies in the bits that are cut off.
        Assert.True(float.IsNaN(StochasticRounding.Round(BitConverter.UInt32BitsToSingle(0x7FFFFFFF), 0xFFFF)));
    }

    /// <summary>A quarter of the way up: a quarter of the columns go up, whatever the value, the row, the tensor, the step or the seed.</summary>
    [Theory]
    [InlineData(7UL, 0u, RoundedValue.Weight, 1)]
    [InlineData(7UL, 0u, RoundedValue.Mean, 1)]
    [InlineData(7UL, 0u, RoundedValue.Square, 1)]
    [InlineData(7UL, 3u, RoundedValue.Weight, 1)]
    [InlineData(7UL, 0u, RoundedValue.Weight, 1000)]
    [InlineData(8UL, 0u, RoundedValue.Weight, 1)]
    public void Columns_go_up_as_often_as_they_should(ulong seed, uint tensor, RoundedValue kind, int step)
    {
        const int Rows = 4, Columns = 16384;
        float value = 1 + 0.25f / 128;
        var rounding = new StochasticRounding(seed, tensor);
        int up = 0;
        for (int row = 0; row < Rows; row++)
        {
            for (int column = 0; column < Columns; column++)
            {
                if (StochasticRounding.Round(value, rounding.Bits(kind, step, row, column / StochasticRounding.Columns), column) > value) up++;
            }
        }

        double share = up / (double)(Rows * Columns), deviation = Math.Sqrt(0.25 * 0.75 / (Rows * Columns));
        Assert.InRange(share, 0.25 - 4 * deviation, 0.25 + 4 * deviation);
    }

    [Fact]
    public void Every_part_of_the_counter_changes_the_bits()
    {
        var (one, other) = (new StochasticRounding(1, 0), new StochasticRounding(2, 0));
        PhiloxBlock[] blocks =
        [
            one.Bits(RoundedValue.Weight, 1, 0, 0), one.Bits(RoundedValue.Mean, 1, 0, 0), one.Bits(RoundedValue.Square, 1, 0, 0),
            one.Bits(RoundedValue.Weight, 2, 0, 0), one.Bits(RoundedValue.Weight, 1, 1, 0), one.Bits(RoundedValue.Weight, 1, 0, 1),
            new StochasticRounding(1, 1).Bits(RoundedValue.Weight, 1, 0, 0), other.Bits(RoundedValue.Weight, 1, 0, 0),
        ];
        Assert.Equal(blocks.Length, blocks.Distinct().Count());
        Assert.Equal(blocks[0], one.Bits(RoundedValue.Weight, 1, 0, 0));
    }
}
