using static System.FormattableString;

namespace RepNoise.Kernels.Tests.Support;

/// <summary>An operation's backward against (f(x + h) - f(x - h)) / 2h in float64.</summary>
public static class CentralDifferences
{
    // The differences err by h^2 times a third derivative and by the roundoff of f over h: near 1e-10 for values near 1.
    private const double Step = 1e-5;
    private const double Tolerance = 1e-8;

    /// <summary>Runs a forward with inputs in place.</summary>
    /// <param name="lab">Where the inputs lie.</param>
    /// <param name="inputs">In the order of their shapes.</param>
    /// <returns>The output.</returns>
    public delegate Tensor ForwardOf(Lab lab, Tensor[] inputs);

    /// <summary>Runs a backward.</summary>
    /// <param name="lab">Where the inputs lie.</param>
    /// <param name="inputs">In the order of their shapes.</param>
    /// <param name="dOutput">Gradient of the output.</param>
    /// <returns>Gradients of the inputs, in their order.</returns>
    public delegate Tensor[] BackwardOf(Lab lab, Tensor[] inputs, Tensor dOutput);

    /// <summary>Compares the gradients of sum(output * dOutput) for all inputs, every element.</summary>
    /// <param name="shapes">Rows and columns of the inputs.</param>
    /// <param name="forward">The operation.</param>
    /// <param name="backward">Its backward.</param>
    /// <param name="uniform">One value for all of dOutput, for operations that take no dOutput.</param>
    public static void Check((int Rows, int Columns)[] shapes, ForwardOf forward, BackwardOf backward, double? uniform = null)
    {
        double[][] values = [.. shapes.Select((shape, i) => Lab.Gaussians(shape.Rows * shape.Columns, (ulong)i))];
        double[] Output(double[][] at)
        {
            using var lab = new Lab();
            return lab.Get(forward(lab, Place(lab, shapes, at)));
        }

        double[] dOutput = Lab.Gaussians(Output(values).Length, 99);
        if (uniform is { } value) dOutput.AsSpan().Fill(value);
        using var lab = new Lab();
        var inputs = Place(lab, shapes, values);
        var output = forward(lab, Place(lab, shapes, values));
        var gradients = backward(lab, inputs, lab.Put(output.Rows, output.Columns, dOutput));
        Assert.Equal(shapes.Length, gradients.Length);
        for (int i = 0; i < shapes.Length; i++)
        {
            Check(Invariant($"gradient of input {i}"), values[i], lab.Get(gradients[i]),
                at => Output([.. values.Select((v, j) => j == i ? at : v)]).Zip(dOutput, (a, b) => a * b).Sum());
        }
    }

    /// <summary>Compares a gradient with differences of a function, every element.</summary>
    public static void Check(string name, double[] at, double[] gradient, Func<double[], double> function)
    {
        double size = Math.Sqrt(gradient.Sum(v => v * v) / gradient.Length);
        Assert.True(size > 1e-3, $"{name} is all but zero and proves nothing");
        for (int i = 0; i < at.Length; i++)
        {
            double[] moved = [.. at];
            moved[i] = at[i] + Step;
            double above = function(moved);
            moved[i] = at[i] - Step;
            double difference = (above - function(moved)) / (2 * Step);
            double error = Math.Abs(gradient[i] - difference);
            if (!(error <= Tolerance * (1 + size)))
                Assert.Fail(Invariant($"{name}, element {i}: {gradient[i]:r}, difference {difference:r}, absolute error {error:g3}"));
        }
    }

    private static Tensor[] Place(Lab lab, (int Rows, int Columns)[] shapes, double[][] values) =>
        [.. shapes.Select((shape, i) => lab.Put(shape.Rows, shape.Columns, values[i]))];
}
