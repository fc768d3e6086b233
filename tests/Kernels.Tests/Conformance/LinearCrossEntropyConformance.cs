using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the family linear_cross_entropy.</summary>
public abstract class LinearCrossEntropyConformance : Conformance
{
    private const double Factor = 0.25;
    private const double Ulps = 4;

    /// <summary>Rows, columns, vocabulary, rows of a chunk.</summary>
    public static TheoryData<int, int, int, int> Shapes => new()
    {
        { 7, 16, 37, 256 }, { 1, 1, 2, 1 }, { 5, 123, 123, 2 }, { 33, 64, 100, 16 }, { 65, 32, 257, 64 }, { 16, 8, 33, 16 }, { 3, 5, 1, 2 },
        { 0, 8, 16, 4 },
        // Beyond one block of tokens, one pass of rows and one group of columns of the CPU's kernel, and more blocks than sums.
        { 300, 24, 600, 300 }, { 4, 530, 270, 4 }, { 3, 8, 4700, 3 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Losses_alone(int rows, int columns, int vocabulary, int chunk) =>
        Forward(701, bench => Run(bench, rows, columns, vocabulary, chunk, gradients: false));

    /// <summary>In chunks of the device's choice where it stores no logits.</summary>
    [Theory]
    [MemberData(nameof(Shapes))]
    public void Losses_alone_without_a_workspace(int rows, int columns, int vocabulary, int chunk) =>
        Forward(701, bench => Run(bench, rows, columns, vocabulary, chunk, gradients: false, takesWorkspace: false));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Losses_and_gradients(int rows, int columns, int vocabulary, int chunk) =>
        Backward(702, bench => Run(bench, rows, columns, vocabulary, chunk, gradients: true));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Losses_and_the_gradient_of_the_rows(int rows, int columns, int vocabulary, int chunk) =>
        Backward(704, bench => Run(bench, rows, columns, vocabulary, chunk, gradients: true, ofWeight: false));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Losses_and_gradients_of_entries_that_repeat(int rows, int columns, int vocabulary, int chunk) =>
        Backward(705, bench => Run(bench, rows, columns, vocabulary, chunk, gradients: true, mostRepeats: 4));

    [Fact]
    public void Large_logits_do_not_overflow() => Backward(703, bench => Run(bench, 9, 16, 50, 4, gradients: true, scale: 40));

    /// <summary>
    /// Rows whose logits are all NaN, all infinite, all minus infinity, and infinite of both signs, have no loss and no gradient; those beside them have
    /// theirs, and so has a row with logits so low that they have no part.
    /// </summary>
    [Theory]
    [InlineData(20)]
    [InlineData(700)]
    public void What_is_not_finite_reaches_its_row_alone(int vocabulary)
    {
        double[] rows = [1, double.NaN, 0.5, double.PositiveInfinity, 0.25, double.NegativeInfinity, -0.5, double.PositiveInfinity, -1];
        Backward(706, bench =>
        {
            const int Columns = 3;
            double[] x = new double[rows.Length * Columns], weight = new double[vocabulary * Columns];
            // The first column is the same for all tokens, the second of either sign, the third very low for all but two.
            for (int v = 0; v < vocabulary; v++) (weight[v * Columns], weight[(v * Columns) + 1], weight[(v * Columns) + 2]) = (1 + (v % 3), v == 5 ? 1 : -1, v is 3 or 7 ? 0 : -1e30);
            for (int r = 0; r < rows.Length; r++) x[(r * Columns) + (r == 7 ? 1 : 0)] = rows[r];
            x[(2 * Columns) + 2] = 1e6;
            var losses = bench.Written("losses", BufferKind.State, 1, rows.Length, magnitude: 8, ulps: Ulps);
            var dX = bench.Written("dX", BufferKind.Compute, rows.Length, Columns, magnitude: 8, ulps: Ulps);
            bench.Device.LinearCrossEntropy(
                losses, bench.Input("x", BufferKind.Compute, rows.Length, Columns, x), bench.Input("weight", BufferKind.Compute, vocabulary, Columns, weight),
                bench.Numbers([.. Enumerable.Range(0, rows.Length).Select(r => r == 2 ? 3 : (5 * r) % vocabulary)]), Factor, dX, default,
                bench.Scratch("workspace", BufferKind.Compute, 4, vocabulary));
        });
    }

    private static void Run(
        Workbench bench, int rows, int columns, int vocabulary, int chunk, bool gradients, double scale = 1, bool ofWeight = true, int mostRepeats = 1, bool takesWorkspace = true)
    {
        // A logit's error is relative to the products it sums; it is an error of the loss and of the probabilities.
        double logit = scale * Math.Sqrt(columns);
        var x = bench.Input("x", BufferKind.Compute, rows, columns, scale);
        var weight = bench.Input("weight", BufferKind.Compute, vocabulary, columns);
        var targets = bench.Numbers([.. Enumerable.Range(0, rows).Select(r => (5 * r + 3) % vocabulary)]);
        var repeats = mostRepeats == 1 ? default : bench.Numbers([.. Enumerable.Range(0, rows).Select(r => r * r % mostRepeats + 1)]);
        var workspace = takesWorkspace || bench.Device.StoresLogits(x, weight) ? bench.Scratch("workspace", BufferKind.Compute, chunk, vocabulary) : default;
        var losses = bench.Written("losses", BufferKind.State, 1, rows, magnitude: mostRepeats * logit, ulps: Ulps);
        Tensor dX = default, dWeight = default;
        if (gradients)
        {
            dX = bench.Written("dX", BufferKind.Compute, rows, columns, magnitude: mostRepeats * Factor * Math.Max(1, logit), ulps: Ulps);
            if (ofWeight) dWeight = bench.Updated("dWeight", BufferKind.State, vocabulary, columns, magnitude: mostRepeats * Factor * scale * Math.Max(1, logit), ulps: Ulps);
        }

        bench.Device.LinearCrossEntropy(losses, x, weight, targets, Factor, dX, dWeight, workspace, repeats);
    }
}
