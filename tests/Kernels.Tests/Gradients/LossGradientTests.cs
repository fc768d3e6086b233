using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Gradients of the loss terms against central differences of formulas written out here.</summary>
public sealed class LossGradientTests
{
    private const double Factor = 0.4;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(16)]
    [InlineData(3, 4, 1, 1, 2, 3)]
    public void Linear_cross_entropy_in_chunks(int chunk, params int[] repeats)
    {
        int[] targets = [2, 0, 2, 6, 5];
        void Run(Lab lab, Tensor losses, Tensor[] inputs, Tensor dX, Tensor dWeight) => lab.Device.LinearCrossEntropy(
            losses, inputs[0], inputs[1], lab.Numbers(targets), Factor, dX, dWeight, lab.New(chunk, 7), repeats.Length > 0 ? lab.Numbers(repeats) : default);

        CentralDifferences.Check(
            [(5, 3), (7, 3)],
            (lab, inputs) =>
            {
                var losses = lab.New(1, 5);
                Run(lab, losses, inputs, default, default);
                return losses;
            },
            (lab, inputs, _) =>
            {
                var (dX, dWeight) = (lab.Like(inputs[0]), lab.Like(inputs[1]));
                Run(lab, lab.New(1, 5), inputs, dX, dWeight);
                return [dX, dWeight];
            },
            uniform: Factor);
    }

    [Fact]
    public void An_entry_that_repeats_is_as_many_entries()
    {
        using var lab = new Lab();
        double[] x = Lab.Gaussians(2 * 3, 1);
        var weight = lab.Put(4, 3, Lab.Gaussians(4 * 3, 2));
        var (dX, dWeight, loss) = (lab.New(2, 3), lab.New(4, 3), lab.New(1, 2));
        lab.Device.LinearCrossEntropy(loss, lab.Put(2, 3, x), weight, lab.Numbers(3, 1), Factor, dX, dWeight, lab.New(2, 4), lab.Numbers(2, 1));
        var (dEach, dWeightOfEach, losses) = (lab.New(3, 3), lab.New(4, 3), lab.New(1, 3));
        lab.Device.LinearCrossEntropy(
            losses, lab.Put(3, 3, [.. x[..3], .. x]), weight, lab.Numbers(3, 3, 1), Factor, dEach, dWeightOfEach, lab.New(3, 4));

        double[] each = lab.Get(losses), of = lab.Get(dEach);
        Assert.Equal([each[0] + each[1], each[2]], lab.Get(loss));
        Assert.Equal([.. Enumerable.Range(0, 3).Select(c => of[c] + of[3 + c]), .. of[6..]], lab.Get(dX));
        double[] expected = lab.Get(dWeightOfEach), found = lab.Get(dWeight);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], 1e-15);
    }

    [Fact]
    public void Linear_cross_entropy_follows_the_formula()
    {
        using var lab = new Lab();
        double[] x = Lab.Gaussians(2 * 3, 1), weight = Lab.Gaussians(4 * 3, 2);
        var losses = lab.New(1, 2);
        lab.Device.LinearCrossEntropy(losses, lab.Put(2, 3, x), lab.Put(4, 3, weight), lab.Numbers(3, 1), 1, default, default, lab.New(1, 4));
        var found = lab.Get(losses);
        for (int r = 0; r < 2; r++)
        {
            double[] z = [.. Enumerable.Range(0, 4).Select(i => Enumerable.Range(0, 3).Sum(c => x[r * 3 + c] * weight[i * 3 + c]))];
            Assert.Equal(Math.Log(z.Sum(Math.Exp)) - z[r == 0 ? 3 : 1], found[r], 1e-14);
        }
    }

    [Theory]
    [InlineData(3, 4, 5)]
    [InlineData(1, 4, 2)]
    [InlineData(4, 3, 1)]
    public void Mmd_with_its_bandwidth_held(int pairs, int positions, int columns)
    {
        var layout = MmdLayout.Random(41, pairs, positions);
        double[] x = Lab.Gaussians(layout.Rows * columns, 1);
        double[] noise = layout.Noise(columns, 1234, 2, 1);
        double[][] Vectors(double[] at) => [.. Dense(layout, positions, columns, at), .. Dense(layout, positions, columns, noise)];
        double bandwidth = Bandwidth(Vectors(x));

        using var lab = new Lab();
        var (mmd, coefficients) = (lab.Put(BufferKind.Scalar, 1, 1, [0]), lab.Put(BufferKind.Scalar, pairs, 2 * pairs, new double[2 * pairs * pairs]));
        var (input, dX) = (lab.Put(layout.Rows, columns, x), lab.New(layout.Rows, columns));
        using var plan = layout.On(lab.Device);
        var source = NoiseSource.Counter(1234, 2, 1);
        lab.Device.MmdGaussianForward(mmd, coefficients, input, plan, source);
        lab.Device.MmdGaussianBackward(dX, coefficients, input, plan, source, 10);

        Assert.Equal(Mmd(Vectors(x), bandwidth), lab.Get(mmd)[0], 1e-13);
        CentralDifferences.Check("dX", x, lab.Get(dX), at => 10 * Mmd(Vectors(at), bandwidth));
    }

    /// <summary>Noise belongs to the pair: where its rows stand in the batch changes nothing.</summary>
    [Fact]
    public void Mmd_does_not_depend_on_the_order_of_pairs()
    {
        const int Columns = 6;
        double[][] x = [.. Lab.Gaussians(5 * Columns, 1).Chunk(Columns)];
        double Value(int[] pairs, double[][] rows, int[] ids)
        {
            using var lab = new Lab();
            using var plan = new MmdLayout(pairs, [0, 0, 1, 2, 2], ids).On(lab.Device);
            var mmd = lab.Put(BufferKind.Scalar, 1, 1, [0]);
            lab.Device.MmdGaussianForward(mmd, lab.Put(BufferKind.Scalar, 2, 4, new double[8]),
                lab.Put(5, Columns, [.. rows.SelectMany(row => row)]), plan, NoiseSource.Counter(5, 6, 7));
            return lab.Get(mmd)[0];
        }

        // The first pair has no entry at position 1.
        double expected = Value([0, 1, 1, 0, 1], x, [100, 200]);
        double[][] swapped = [x[1], x[0], x[2], x[4], x[3]];
        Assert.Equal(expected, Value([0, 1, 0, 0, 1], swapped, [200, 100]), 1e-14);
        Assert.NotEqual(expected, Value([0, 1, 0, 0, 1], swapped, [100, 200]), 1e-6);
    }

    /// <summary>Whole vectors of T * C, zero where a pair has no entry.</summary>
    private static double[][] Dense(MmdLayout layout, int positions, int columns, double[] entries)
    {
        double[][] vectors = [.. layout.Ids.Select(_ => new double[positions * columns])];
        for (int r = 0; r < layout.Rows; r++)
            entries.AsSpan(r * columns, columns).CopyTo(vectors[layout.Pairs[r]].AsSpan(layout.Positions[r] * columns));
        return vectors;
    }

    private static double Distance(double[] a, double[] b) => a.Zip(b, (u, v) => (u - v) * (u - v)).Sum();

    private static double Bandwidth(double[][] vectors)
    {
        double n = vectors.Length;
        return vectors.Sum(a => vectors.Sum(b => Distance(a, b))) / (n * n - n) / 4;
    }

    private static double Mmd(double[][] vectors, double bandwidth)
    {
        int pairs = vectors.Length / 2;
        double Kernel(double[] a, double[] b) => new[] { 1, 2, 4, 8, 16 }.Sum(m => Math.Exp(-Distance(a, b) / (bandwidth * m)));
        double sum = 0;
        for (int i = 0; i < pairs; i++)
        {
            for (int j = 0; j < pairs; j++)
            {
                var (xi, xj, yi, yj) = (vectors[i], vectors[j], vectors[pairs + i], vectors[pairs + j]);
                sum += Kernel(xi, xj) + Kernel(yi, yj) - Kernel(xi, yj) - Kernel(yi, xj);
            }
        }

        return sum / (pairs * pairs);
    }
}
