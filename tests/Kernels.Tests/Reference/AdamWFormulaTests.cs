using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Five optimizer steps against a loop written here, and torch's gradient clipping.</summary>
public sealed class AdamWFormulaTests
{
    private const int Count = 12, Steps = 5;
    private const double Rate = 0.01, Beta1 = 0.8, Beta2 = 0.95, Epsilon = 1e-6, Decay = 0.3, ClipFactor = 0.7;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Five_steps(bool decoupled)
    {
        using var lab = new Lab();
        double[] expected = Lab.Gaussians(Count, 0), m = new double[Count], v = new double[Count];
        var (master, copy) = (lab.Put(3, 4, expected), lab.New(3, 4));
        var (first, second) = (lab.New(3, 4), lab.New(3, 4));
        var factor = lab.Put(BufferKind.Scalar, 1, 1, [ClipFactor]);
        for (int t = 1; t <= Steps; t++)
        {
            double[] gradient = Lab.Gaussians(Count, (ulong)t);
            var step = new AdamWStep(Rate / t, Beta1, Beta2, Epsilon, Decay, decoupled, t);
            lab.Device.AdamW(master, copy, lab.Put(3, 4, gradient), first, second, step, factor);
            for (int i = 0; i < Count; i++) Update(ref expected[i], ref m[i], ref v[i], gradient[i], Rate / t, decoupled, t);
        }

        AssertEqual(expected, lab.Get(master));
        AssertEqual(expected, lab.Get(copy));
        AssertEqual(m, lab.Get(first));
        AssertEqual(v, lab.Get(second));
    }

    [Theory]
    [InlineData(2.0, 1.0)]
    [InlineData(1000.0, 1.0)]
    [InlineData(0.0, 0.25)]
    [InlineData(2.0, 0.25)]
    public void Gradients_are_clipped_as_torch_clips(double maxNorm, double scale)
    {
        using var lab = new Lab();
        double[] one = Lab.Gaussians(20, 1), two = Lab.Gaussians(6, 2);
        var squares = lab.Put(BufferKind.Scalar, 1, 1, [0]);
        lab.Device.AddSquaredNorm(squares, lab.Put(4, 5, one));
        lab.Device.AddSquaredNorm(squares, lab.Put(1, 6, two));
        var result = lab.Put(BufferKind.Scalar, 1, 2, [0, 0]);
        lab.Device.ClipFactor(result, squares, maxNorm, scale);

        // The mean gradient's norm, and the factor that brings the summed gradient to the clipped mean.
        double norm = Math.Sqrt(one.Concat(two).Sum(g => g * scale * g * scale));
        double clip = maxNorm == 0 ? 1 : Math.Min(1, maxNorm / (norm + 1e-6));
        AssertEqual([norm, scale * clip], lab.Get(result));
    }

    /// <summary>torch.optim.AdamW and torch.optim.Adam, single tensor, not capturable.</summary>
    private static void Update(ref double weight, ref double m, ref double v, double gradient, double rate, bool decoupled, int t)
    {
        double g = ClipFactor * gradient;
        if (decoupled) weight *= 1 - rate * Decay;
        else g += Decay * weight;
        m += (g - m) * (1 - Beta1);
        v = v * Beta2 + (1 - Beta2) * g * g;
        double denominator = Math.Sqrt(v) / Math.Sqrt(1 - Math.Pow(Beta2, t)) + Epsilon;
        weight -= rate / (1 - Math.Pow(Beta1, t)) * m / denominator;
    }

    private static void AssertEqual(double[] expected, double[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < found.Length; i++) Assert.Equal(expected[i], found[i], 1e-14);
    }
}
