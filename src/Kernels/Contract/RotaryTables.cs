namespace RepNoise.Kernels;

/// <summary>
/// Cosines and sines of rotary angles, computed in fp64. Frequencies are <c>theta^(-2i / HS)</c>; Llama 3's scaling divides
/// those of long wavelengths by a factor and blends in between (transformers, modeling_rope_utils.py).
/// </summary>
public static class RotaryTables
{
    /// <summary>HS / 2 frequencies in radians per position.</summary>
    public static double[] Frequencies(int headSize, double theta)
    {
        var frequencies = new double[headSize / 2];
        for (int i = 0; i < frequencies.Length; i++) frequencies[i] = Math.Pow(theta, -2.0 * i / headSize);
        return frequencies;
    }

    /// <summary>Llama 3's scaled frequencies.</summary>
    /// <param name="headSize">HS.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="factor">How far long wavelengths are stretched.</param>
    /// <param name="lowFrequencyFactor">Wavelengths over originalContext / this are stretched fully.</param>
    /// <param name="highFrequencyFactor">Wavelengths under originalContext / this stay.</param>
    /// <param name="originalContext">Context length in tokens that the model was trained with first.</param>
    public static double[] Llama3Frequencies(
        int headSize, double theta, double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalContext)
    {
        var frequencies = Frequencies(headSize, theta);
        for (int i = 0; i < frequencies.Length; i++)
        {
            double wavelength = 2 * Math.PI / frequencies[i];
            double smooth = (originalContext / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
            frequencies[i] *= smooth <= 0 ? 1 / factor : smooth >= 1 ? 1 : (1 - smooth) / factor + smooth;
        }

        return frequencies;
    }

    /// <summary>Tables (positions, HS / 2) for <see cref="Device.Rotary"/>, row-major.</summary>
    public static (double[] Cos, double[] Sin) Build(ReadOnlySpan<double> frequencies, int positions)
    {
        var cos = new double[checked(positions * frequencies.Length)];
        var sin = new double[cos.Length];
        for (int p = 0, at = 0; p < positions; p++)
        {
            foreach (double frequency in frequencies) (sin[at], cos[at++]) = Math.SinCos(p * frequency);
        }

        return (cos, sin);
    }
}
