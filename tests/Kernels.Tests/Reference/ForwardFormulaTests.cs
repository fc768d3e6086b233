using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// Forwards of the reference on small inputs against values worked out by hand or by formulas in another form; attention and the
/// losses have theirs beside their gradients.
/// </summary>
public sealed class ForwardFormulaTests : IDisposable
{
    private readonly Lab lab = new();

    public void Dispose() => lab.Dispose();

    [Fact]
    public void Norm_of_two_groups()
    {
        // Mean squares 12.5 and 1; epsilon 3.5 makes 16 and 4.5.
        var x = lab.Put(1, 4, [3, 4, 1, -1]);
        var weight = lab.Put(1, 2, [2, 10]);
        var (output, rstd) = (lab.New(1, 4), lab.New(1, 2));
        lab.Device.RmsNormForward(output, rstd, x, weight, 3.5);
        Assert.Equal([0.25, 1 / Math.Sqrt(4.5)], lab.Get(rstd));
        AssertEqual([1.5, 10, 2 / Math.Sqrt(4.5), -10 / Math.Sqrt(4.5)], lab.Get(output));
    }

    [Fact]
    public void Norm_of_a_sum()
    {
        // The sum is (3, 4, 1, -1) of the test above.
        var (x, addend) = (lab.Put(1, 4, [1, 6, 0.5, 1]), lab.Put(1, 4, [2, -2, 0.5, -2]));
        var weight = lab.Put(1, 2, [2, 10]);
        var (output, sum, rstd) = (lab.New(1, 4), lab.New(1, 4), lab.New(1, 2));
        lab.Device.AddRmsNormForward(output, sum, rstd, x, addend, weight, 3.5);
        Assert.Equal([3, 4, 1, -1], lab.Get(sum));
        Assert.Equal([0.25, 1 / Math.Sqrt(4.5)], lab.Get(rstd));
        AssertEqual([1.5, 10, 2 / Math.Sqrt(4.5), -10 / Math.Sqrt(4.5)], lab.Get(output));
    }

    [Theory]
    [InlineData(MatmulForm.NN, new double[] { 1, 2, 3, 4, 5, 6 }, new double[] { 7, 8, 9, 10, 11, 12 })]
    [InlineData(MatmulForm.NT, new double[] { 1, 2, 3, 4, 5, 6 }, new double[] { 7, 9, 11, 8, 10, 12 })]
    [InlineData(MatmulForm.TN, new double[] { 1, 4, 2, 5, 3, 6 }, new double[] { 7, 8, 9, 10, 11, 12 })]
    public void Product_of_every_form(MatmulForm form, double[] left, double[] right)
    {
        var a = form == MatmulForm.TN ? lab.Put(3, 2, left) : lab.Put(2, 3, left);
        var b = form == MatmulForm.NT ? lab.Put(2, 3, right) : lab.Put(3, 2, right);
        var c = lab.Put(2, 2, [1000, 2000, 3000, 4000]);
        lab.Device.Matmul(c, a, b, form, accumulate: true, lab.Put(1, 2, [0.25, 0.5]));
        Assert.Equal([1058.25, 2064.5, 3139.25, 4154.5], lab.Get(c));
        lab.Device.Matmul(c, a, b, form);
        Assert.Equal([58, 64, 139, 154], lab.Get(c));
    }

    [Fact]
    public void Bias_gradient_adds_the_rows()
    {
        var dBias = lab.Put(1, 2, [100, 200]);
        lab.Device.BiasBackward(dBias, lab.Put(3, 2, [1, 2, 3, 4, 5, 6]));
        Assert.Equal([109, 212], lab.Get(dBias));
    }

    /// <summary>Channels i and i + HS / 2 are a complex number that is multiplied by e^(i angle).</summary>
    [Fact]
    public void Rotary_is_a_complex_product()
    {
        const int HeadSize = 6, Half = HeadSize / 2, Heads = 2;
        int[] positions = [4, 0, 11];
        double[] frequencies = RotaryTables.Frequencies(HeadSize, 100), values = Lab.Gaussians(3 * Heads * HeadSize, 1);
        var (cos, sin) = RotaryTables.Build(frequencies, 12);
        var x = lab.Put(3, Heads * HeadSize, values);
        lab.Device.Rotary(x, lab.Put(12, Half, cos), lab.Put(12, Half, sin), lab.Numbers(positions), inverse: false);
        double[] turned = lab.Get(x);
        for (int r = 0; r < 3; r++)
        {
            for (int head = 0; head < Heads; head++)
            {
                for (int i = 0; i < Half; i++)
                {
                    int at = (r * Heads + head) * HeadSize + i;
                    var expected = new System.Numerics.Complex(values[at], values[at + Half]) *
                        System.Numerics.Complex.FromPolarCoordinates(1, positions[r] * frequencies[i]);
                    Assert.Equal(expected.Real, turned[at], 1e-14);
                    Assert.Equal(expected.Imaginary, turned[at + Half], 1e-14);
                }
            }
        }
    }

    [Fact]
    public void Swiglu_is_half_a_hyperbolic_tangent()
    {
        double[] gate = Lab.Gaussians(20, 1), up = Lab.Gaussians(20, 2);
        var output = lab.New(4, 5);
        lab.Device.SwigluForward(output, lab.Put(4, 5, gate), lab.Put(4, 5, up));
        // 1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2
        AssertEqual([.. gate.Zip(up, (z, y) => z * (1 + Math.Tanh(z / 2)) / 2 * y)], lab.Get(output));
    }

    [Fact]
    public void Rows_are_gathered_and_scattered()
    {
        var table = lab.Put(3, 2, [1, 2, 3, 4, 5, 6]);
        var output = lab.New(4, 2);
        lab.Device.GatherRows(output, table, lab.Numbers(2, 0, 2, 1));
        Assert.Equal([5, 6, 1, 2, 5, 6, 3, 4], lab.Get(output));
        lab.Device.ScatterAddRows(table, output, lab.Numbers(0, 0, 2, 0), 2, lab.Put(BufferKind.Scalar, 1, 1, [0.5]));
        Assert.Equal([1 + 5 + 1 + 3, 2 + 6 + 2 + 4, 3, 4, 10, 12], lab.Get(table));
    }

    [Fact]
    public void Helpers_do_what_they_say()
    {
        var target = lab.Put(2, 2, [1, 2, 3, 4]);
        lab.Device.AddScaled(target, lab.Put(2, 2, [10, 20, 30, 40]), 0.5, lab.Put(BufferKind.Scalar, 1, 1, [4]));
        Assert.Equal([21, 42, 63, 84], lab.Get(target));

        var sum = lab.Put(BufferKind.Scalar, 1, 1, [7]);
        lab.Device.SumInto(sum, target, 0.5, 3);
        Assert.Equal([108], lab.Get(sum));

        var ascent = lab.Put(BufferKind.Scalar, 1, 2, [0, 0]);
        lab.Device.AscentValue(ascent, lab.Put(BufferKind.Scalar, 1, 3, [2, 3, 7]), 4, 1);
        Assert.Equal([4, 0.25], lab.Get(ascent));
    }

    private static void AssertEqual(double[] expected, double[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < found.Length; i++) Assert.Equal(expected[i], found[i], 1e-14);
    }
}
