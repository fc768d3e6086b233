namespace RepNoise.Kernels;

/// <summary>
/// Family mmd_gaussian: the biased squared maximum mean discrepancy (Gretton et al., JMLR 13, 2012) between the rows of a
/// batch and a fresh Gaussian draw under the same mask, with five Gaussian kernels, as the reference implementation of
/// Representation Noising computes it.
/// <para>Over the n = 2B vectors z (B of x, then B of noise): d2[i, j] = |z_i - z_j|^2 summed over positions and channels;
/// w = sum(d2) / (n^2 - n) / 4, constant in the gradient; k = sum over m = 0..4 of exp(-d2 / (w 2^m));
/// MMD = mean over (i, j) in B x B of k(X_i, X_j) + k(Y_i, Y_j) - k(X_i, Y_j) - k(Y_i, X_j).</para>
/// <para>The gradient of x needs only B x 2B numbers from the forward: dX_i = sum over j of coefficient[i, j] (X_i - z_j).</para>
/// </summary>
public abstract partial class Device
{
    /// <summary>The MMD and the coefficients of its gradient.</summary>
    /// <param name="mmd">(1, 1), scalar, written. 0 where w is 0 (all vectors equal).</param>
    /// <param name="coefficients">(B, 2B), scalars, written.</param>
    /// <param name="x">(R, C), the plan's entries.</param>
    /// <param name="plan">Pairs and positions of the entries.</param>
    /// <param name="noise">The Gaussian draw.</param>
    public void MmdGaussianForward(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise)
    {
        CheckMmd(nameof(MmdGaussianForward), coefficients, x, plan, noise);
        Check.Shape(nameof(MmdGaussianForward), mmd, 1, 1);
        using var observed = listener is null ? default : Observe(nameof(MmdGaussianForward), MmdGaussianForwardCost(x.Rows, x.Columns, plan.PairCount, Size(x)));
        MmdGaussianForwardCore(mmd, coefficients, x, plan, noise);
    }

    /// <summary>dX[r, :] = factor * sum over j of coefficients[pair(r), j] (x[r, :] - z_j at r's position).</summary>
    /// <param name="dX">(R, C), written.</param>
    /// <param name="coefficients">(B, 2B), from the forward.</param>
    /// <param name="x">(R, C), the forward's input.</param>
    /// <param name="plan">The forward's plan.</param>
    /// <param name="noise">The forward's noise.</param>
    /// <param name="factor">Scales the gradient: beta / number of layers.</param>
    public void MmdGaussianBackward(Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor)
    {
        CheckMmd(nameof(MmdGaussianBackward), coefficients, x, plan, noise);
        Check.Shape(nameof(MmdGaussianBackward), dX, x.Rows, x.Columns);
        using var observed = listener is null ? default : Observe(nameof(MmdGaussianBackward), MmdGaussianBackwardCost(x.Rows, x.Columns, plan.PairCount, Size(x)));
        MmdGaussianBackwardCore(dX, coefficients, x, plan, noise, factor);
    }

    /// <summary>Scalars that the device wants in <see cref="MmdPlan.Scratch"/> for its partial sums.</summary>
    protected internal abstract long MmdScratchLength(int maxPairs, int maxRows);

    public static OpCost MmdGaussianForwardCost(long rows, long columns, int pairs, int size) =>
        new(3.0 * 2 * rows * columns * 2 * pairs / 2, (double)rows * columns * size);

    public static OpCost MmdGaussianBackwardCost(long rows, long columns, int pairs, int size) =>
        new(3.0 * rows * columns * 2 * pairs, 2.0 * rows * columns * size);

    protected abstract void MmdGaussianForwardCore(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise);

    protected abstract void MmdGaussianBackwardCore(
        Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor);

    private static void CheckMmd(string operation, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise)
    {
        Check.That(x.Rows == plan.RowCount, operation, $"x is {x}", $"{plan.RowCount} rows, the plan's entries");
        Check.Shape(operation, coefficients, plan.PairCount, 2 * plan.PairCount);
        if (noise.IsBuffer) Check.Shape(operation, noise.Buffer, x.Rows, x.Columns, "noise");
    }
}
