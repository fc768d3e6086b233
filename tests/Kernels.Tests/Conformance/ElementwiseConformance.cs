using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the whole-tensor helpers.</summary>
public abstract class ElementwiseConformance : Conformance
{
    private static readonly double[] Odd = [double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, 0, 1e-30, -3e38];

    /// <summary>Rows, columns.</summary>
    public static TheoryData<int, int> Shapes => new() { { 7, 64 }, { 1, 1 }, { 5, 123 }, { 123, 5 }, { 33, 257 }, { 0, 8 } };

    [Theory]
    [InlineData(BufferKind.Compute)]
    [InlineData(BufferKind.State)]
    [InlineData(BufferKind.Scalar)]
    public void Fill_sets_every_element(BufferKind kind) => Exactly(1001, bench =>
    {
        bench.Device.Fill(bench.Written("target", kind, 5, 123), -1.375);
        bench.Device.Fill(bench.Written("single", kind, 1, 1), 0);
        bench.Device.Fill(bench.Written("none", kind, 0, 3), 0);
    });

    [Theory]
    [InlineData(BufferKind.Compute, BufferKind.Compute)]
    [InlineData(BufferKind.Compute, BufferKind.State)]
    [InlineData(BufferKind.State, BufferKind.Compute)]
    [InlineData(BufferKind.State, BufferKind.State)]
    [InlineData(BufferKind.Scalar, BufferKind.State)]
    [InlineData(BufferKind.State, BufferKind.Scalar)]
    [InlineData(BufferKind.Scalar, BufferKind.Scalar)]
    public void Copy_rounds_to_the_target(BufferKind from, BufferKind to) => Exactly(1002, bench =>
    {
        var source = bench.Input("source", from, 13, 41);
        bench.Device.Copy(bench.Written("target", to, 13, 41), source);
        var odd = bench.Input("odd", from, 1, Odd.Length, Odd);
        bench.Device.Copy(bench.Written("copy of odd", to, 1, Odd.Length), odd);
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Scaled_addition(int rows, int columns) => Forward(1003, bench =>
    {
        var source = bench.Input("source", BufferKind.Compute, rows, columns);
        bench.Device.AddScaled(bench.Updated("target", BufferKind.Compute, rows, columns, magnitude: 1), source);
        bench.Device.AddScaled(bench.Updated("gradient", BufferKind.State, rows, columns, magnitude: 1), source, -0.3);
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Scaled_addition_with_a_factor_on_the_device(int rows, int columns) => Forward(1004, bench =>
    {
        var source = bench.Input("source", BufferKind.State, rows, columns);
        var factors = bench.Input("factors", BufferKind.Scalar, 1, 2, [5, 0.7]);
        var target = bench.Updated("target", BufferKind.State, rows, columns, magnitude: 1);
        bench.Device.AddScaled(target, source, -1.25, factors.Element(1));
        // The ascent's workspace is state whatever format gradients have.
        bench.Device.AddScaled(bench.Updated("gradient", BufferKind.Compute, rows, columns, magnitude: 1), source, -1.25, factors.Element(1));
    });

    [Fact]
    public void Scalars_add_as_doubles() => Forward(1005, bench =>
    {
        var source = bench.Input("source", BufferKind.Scalar, 1, 3);
        bench.Device.AddScaled(bench.Updated("target", BufferKind.Scalar, 1, 3, magnitude: 1), source, 0.1);
    });

    [Fact]
    public void Addition_passes_not_a_number_and_infinity() => Forward(1006, bench =>
    {
        var values = bench.Gaussians(40);
        (values[0], values[17], values[18], values[39]) = (double.NaN, double.PositiveInfinity, double.NegativeInfinity, double.NaN);
        var source = bench.Input("source", BufferKind.Compute, 1, 40, values);
        var first = bench.Gaussians(40);
        (first[17], first[20]) = (double.NegativeInfinity, double.PositiveInfinity);
        bench.Device.AddScaled(bench.Updated("target", BufferKind.Compute, 1, 40, first, magnitude: 1), source, 2);
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sum_runs_in_doubles(int rows, int columns) => Forward(1007, bench =>
    {
        // Rounded once an addition at most, whatever the fixed order.
        double count = 1 + rows * columns;
        var losses = bench.Input("values", BufferKind.State, rows, columns);
        var result = bench.Written("result", BufferKind.Scalar, 1, 1, magnitude: 1 + Math.Sqrt(count), ulps: count);
        bench.Device.SumInto(result, losses, 0.7, 1.5);
        var scalars = bench.Input("scalars", BufferKind.Scalar, rows, columns);
        var sum = bench.Written("sum of scalars", BufferKind.Scalar, 1, 1, magnitude: 1 + Math.Sqrt(count), ulps: count);
        bench.Device.SumInto(sum, scalars, 1, 0);
    });

    [Theory]
    [InlineData(1, 1.0, 0.0)]
    [InlineData(6, 5.0, 1.0)]
    [InlineData(34, 33.0, 1.0)]
    public void Ascent_and_its_reciprocal(int terms, double divisor, double offset) => Forward(1008, bench =>
    {
        var values = bench.Input("terms", BufferKind.Scalar, 1, terms, [.. bench.Gaussians(terms).Select(v => 3 + Math.Abs(v))]);
        bench.Device.AscentValue(bench.Written("result", BufferKind.Scalar, 1, 2, ulps: terms + 2), values, divisor, offset);
    });
}
