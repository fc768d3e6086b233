using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the family adamw.</summary>
public abstract class AdamWConformance : Conformance
{
    /// <summary>Rows, columns.</summary>
    public static TheoryData<int, int> Shapes => new() { { 7, 64 }, { 1, 1 }, { 5, 123 }, { 123, 5 }, { 33, 257 }, { 0, 8 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Steps_of_AdamW(int rows, int columns) => Forward(901, bench => Steps(bench, rows, columns, decoupled: true, copied: true));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Steps_of_Adam(int rows, int columns) => Forward(902, bench => Steps(bench, rows, columns, decoupled: false, copied: false));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Steps_in_the_compute_format(int rows, int columns) =>
        Forward(907, bench => Steps(bench, rows, columns, decoupled: true, copied: false, BufferKind.Compute));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Squared_norm_of_the_compute_format(int rows, int columns) => Forward(908, bench =>
    {
        var gradient = bench.Input("gradient", BufferKind.Compute, rows, columns);
        var result = bench.Updated("result", BufferKind.Scalar, 1, 1, [0.125], magnitude: rows * columns, ulps: 1 + rows * columns);
        bench.Device.AddSquaredNorm(result, gradient);
    });

    [Fact]
    public void First_step_from_no_gradient_moves_nothing() => Forward(903, bench =>
    {
        var (master, m, v) = Moments(bench, BufferKind.State, 3, 20, new double[60], new double[60]);
        var gradient = bench.Input("gradient", BufferKind.State, 3, 20, new double[60]);
        var factor = bench.Input("factor", BufferKind.Scalar, 1, 1, [1]);
        bench.Device.AdamW(master, default, gradient, m, v, new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0, true, 1), factor);
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Squared_norm_adds_up(int rows, int columns) => Forward(904, bench =>
    {
        var gradient = bench.Input("gradient", BufferKind.State, rows, columns);
        // Sums of doubles in whatever fixed order: each term may meet one rounding per addition.
        var result = bench.Updated("result", BufferKind.Scalar, 1, 1, [0.125], magnitude: rows * columns, ulps: 1 + rows * columns);
        bench.Device.AddSquaredNorm(result, gradient);
        bench.Device.AddSquaredNorm(result, gradient);
    });

    [Theory]
    [InlineData(9.0, 1.0, 1.0)]
    [InlineData(9.0, 100.0, 1.0)]
    [InlineData(9.0, 0.0, 0.5)]
    [InlineData(64.0, 1.5, 0.25)]
    [InlineData(0.0, 1.0, 1.0)]
    [InlineData(double.NaN, 1.0, 1.0)]
    [InlineData(double.PositiveInfinity, 1.0, 1.0)]
    public void Clip_factor_bounds_the_norm(double squaredNorm, double maxNorm, double scale) => Forward(905, bench =>
    {
        var squares = bench.Input("squaredNorm", BufferKind.Scalar, 1, 1, [squaredNorm]);
        var result = bench.Written("result", BufferKind.Scalar, 1, 2);
        bench.Device.ClipFactor(result, squares, maxNorm, scale);
    });

    private static void Steps(
        Workbench bench, int rows, int columns, bool decoupled, bool copied, BufferKind kind = BufferKind.State)
    {
        var (master, m, v) = Moments(bench, kind, rows, columns, bench.Gaussians(rows * columns, 0.1),
            [.. bench.Gaussians(rows * columns, 0.1).Select(value => value * value)]);
        var copy = copied ? bench.Written("copy", BufferKind.Compute, rows, columns) : default;
        var gradient = bench.Input("gradient", kind, rows, columns);
        var factor = bench.Input("factor", BufferKind.Scalar, 1, 1, [0.4]);
        for (int t = 1; t <= 3; t++)
            bench.Device.AdamW(master, copy, gradient, m, v, new AdamWStep(1e-2, 0.9, 0.999, 1e-8, 0.05, decoupled, t), factor);
    }

    private static (Tensor Master, Tensor M, Tensor V) Moments(
        Workbench bench, BufferKind kind, int rows, int columns, double[] m, double[] v) => (
        bench.Updated("master", kind, rows, columns, magnitude: 1),
        bench.Updated("m", kind, rows, columns, m, magnitude: 0.3),
        bench.Updated("v", kind, rows, columns, v));
}
