namespace RepNoise.Kernels;

/// <summary>
/// Family norm: RMSNorm (Zhang and Sennrich, arXiv 1910.07467), <c>y = x * rstd * weight</c> with
/// <c>rstd = 1 / sqrt(mean(x^2) + eps)</c>, over the hidden dimension or over each head (Qwen3's q and k).
/// </summary>
public abstract partial class Device
{
    /// <summary>Normalises each group of C columns of each row.</summary>
    /// <param name="output">(N, G * C), written; may be <paramref name="x"/> itself.</param>
    /// <param name="rstd">(N, G), state: the reciprocal root mean squares, saved for the backward.</param>
    /// <param name="x">(N, G * C).</param>
    /// <param name="weight">(1, C).</param>
    /// <param name="epsilon">Added to the mean square.</param>
    public void RmsNormForward(Tensor output, Tensor rstd, Tensor x, Tensor weight, double epsilon)
    {
        int groups = Groups(nameof(RmsNormForward), x, weight);
        Check.Shape(nameof(RmsNormForward), output, x.Rows, x.Columns);
        Check.Shape(nameof(RmsNormForward), rstd, x.Rows, groups);
        using var observed = listener is null ? default : Observe(nameof(RmsNormForward), RmsNormForwardCost(x.Rows, x.Columns, Size(x)));
        RmsNormForwardCore(output, rstd, x, weight, epsilon);
    }

    /// <summary>
    /// The sum that a residual stream goes on with, and its norm: <c>sum = x + addend</c>, <c>output = norm(sum)</c>. The sum is
    /// normalised as it is stored, so that <see cref="RmsNormForward"/> of it gives the same bits.
    /// </summary>
    /// <param name="output">(N, G * C), written; may be <paramref name="x"/> or <paramref name="addend"/>.</param>
    /// <param name="sum">(N, G * C), written; may be <paramref name="x"/> or <paramref name="addend"/>, but not <paramref name="output"/>.</param>
    /// <param name="rstd">(N, G), state: the reciprocal root mean squares of the sum, saved for the backward.</param>
    /// <param name="x">(N, G * C).</param>
    /// <param name="addend">(N, G * C).</param>
    /// <param name="weight">(1, C).</param>
    /// <param name="epsilon">Added to the mean square.</param>
    public void AddRmsNormForward(Tensor output, Tensor sum, Tensor rstd, Tensor x, Tensor addend, Tensor weight, double epsilon)
    {
        int groups = Groups(nameof(AddRmsNormForward), x, weight);
        Check.Shape(nameof(AddRmsNormForward), output, x.Rows, x.Columns);
        Check.Shape(nameof(AddRmsNormForward), sum, x.Rows, x.Columns);
        Check.Shape(nameof(AddRmsNormForward), rstd, x.Rows, groups);
        Check.Shape(nameof(AddRmsNormForward), addend, x.Rows, x.Columns);
        Check.That(output.Buffer != sum.Buffer || output.Offset != sum.Offset, nameof(AddRmsNormForward), "output and sum are one tensor",
            "two: the sum is kept");
        using var observed = listener is null ? default : Observe(nameof(AddRmsNormForward), AddRmsNormForwardCost(x.Rows, x.Columns, Size(x)));
        AddRmsNormForwardCore(output, sum, rstd, x, addend, weight, epsilon);
    }

    /// <summary>
    /// With <c>g = dOutput * weight</c> and per-group mean <c>m = mean(g * x) * rstd^2</c>: dX = rstd * (g - x * m),
    /// dWeight += sum over rows and groups of dOutput * x * rstd.
    /// </summary>
    /// <param name="dX">(N, G * C), written, or accumulated with <paramref name="accumulate"/>; may be <paramref name="dOutput"/> itself.</param>
    /// <param name="dWeight">(1, C), state, accumulated.</param>
    /// <param name="dOutput">(N, G * C).</param>
    /// <param name="x">(N, G * C), the forward's input.</param>
    /// <param name="weight">(1, C).</param>
    /// <param name="rstd">(N, G), from the forward.</param>
    /// <param name="accumulate">True adds to dX: the residual stream's form.</param>
    public void RmsNormBackward(Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate)
    {
        int groups = Groups(nameof(RmsNormBackward), x, weight);
        Check.Shape(nameof(RmsNormBackward), dX, x.Rows, x.Columns);
        Check.Shape(nameof(RmsNormBackward), dOutput, x.Rows, x.Columns);
        Check.Shape(nameof(RmsNormBackward), dWeight, 1, weight.Columns);
        Check.Shape(nameof(RmsNormBackward), rstd, x.Rows, groups);
        using var observed = listener is null ? default : Observe(nameof(RmsNormBackward), RmsNormBackwardCost(x.Rows, x.Columns, Size(x)));
        RmsNormBackwardCore(dX, dWeight, dOutput, x, weight, rstd, accumulate);
    }

    public static OpCost RmsNormForwardCost(int rows, int columns, int size) => new(4.0 * rows * columns, 2.0 * rows * columns * size);

    public static OpCost AddRmsNormForwardCost(int rows, int columns, int size) => new(5.0 * rows * columns, 4.0 * rows * columns * size);

    public static OpCost RmsNormBackwardCost(int rows, int columns, int size) => new(10.0 * rows * columns, 3.0 * rows * columns * size);

    protected abstract void RmsNormForwardCore(Tensor output, Tensor rstd, Tensor x, Tensor weight, double epsilon);

    protected abstract void AddRmsNormForwardCore(
        Tensor output, Tensor sum, Tensor rstd, Tensor x, Tensor addend, Tensor weight, double epsilon);

    protected abstract void RmsNormBackwardCore(
        Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate);

    private static int Groups(string operation, Tensor x, Tensor weight)
    {
        Check.That(weight.Rows == 1 && weight.Columns > 0 && x.Columns % weight.Columns == 0, operation,
            $"x is {x} with weight {weight}", "a weight of one row whose length divides x's columns");
        return x.Columns / weight.Columns;
    }
}
