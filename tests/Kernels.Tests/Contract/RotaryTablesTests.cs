namespace RepNoise.Kernels.Tests;

/// <summary>Frequencies and tables against formulas written as transformers writes them.</summary>
public sealed class RotaryTablesTests
{
    [Theory]
    [InlineData(2, 10000)]
    [InlineData(10, 10000)]
    [InlineData(128, 500000)]
    public void Default_frequencies(int headSize, double theta)
    {
        double[] found = RotaryTables.Frequencies(headSize, theta);
        Assert.Equal(headSize / 2, found.Length);
        // inv_freq = 1 / (theta ** (arange(0, dim, 2) / dim))
        for (int i = 0; i < headSize; i += 2) Assert.Equal(1 / Math.Pow(theta, (double)i / headSize), found[i / 2], 1e-15);
    }

    /// <summary>_compute_llama3_parameters of modeling_rope_utils.py, with Llama 3.1's and 3.2's factors.</summary>
    [Theory]
    [InlineData(8.0)]
    [InlineData(32.0)]
    public void Llama3_frequencies(double factor)
    {
        const double Theta = 500000, Low = 1, High = 4;
        const int HeadSize = 128, Context = 8192;
        double[] plain = RotaryTables.Frequencies(HeadSize, Theta);
        double[] found = RotaryTables.Llama3Frequencies(HeadSize, Theta, factor, Low, High, Context);
        int kept = 0, divided = 0, blended = 0;
        for (int i = 0; i < found.Length; i++)
        {
            double wavelength = 2 * Math.PI / plain[i];
            double expected;
            if (wavelength > Context / Low)
            {
                expected = plain[i] / factor;
                divided++;
            }
            else if (wavelength < Context / High)
            {
                expected = plain[i];
                kept++;
            }
            else
            {
                double smooth = (Context / wavelength - Low) / (High - Low);
                expected = (1 - smooth) * plain[i] / factor + smooth * plain[i];
                blended++;
            }

            Assert.Equal(expected, found[i], 1e-15 * plain[i]);
        }

        Assert.True(kept > 0 && divided > 0 && blended > 0, "all three ranges occur");
    }

    [Fact]
    public void Tables_hold_cosine_and_sine_of_position_times_frequency()
    {
        double[] frequencies = RotaryTables.Frequencies(6, 100);
        var (cos, sin) = RotaryTables.Build(frequencies, 50);
        Assert.Equal((150, 150), (cos.Length, sin.Length));
        for (int position = 0; position < 50; position++)
        {
            for (int i = 0; i < 3; i++)
            {
                Assert.Equal(Math.Cos(position * frequencies[i]), cos[position * 3 + i], 1e-15);
                Assert.Equal(Math.Sin(position * frequencies[i]), sin[position * 3 + i], 1e-15);
            }
        }
    }
}
