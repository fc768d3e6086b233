namespace RepNoise.Kernels;

/// <summary>Constants of one optimizer step.</summary>
/// <param name="LearningRate">Of this step.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the corrected second moment.</param>
/// <param name="WeightDecay">Decoupled (AdamW) or added to the gradient (Adam).</param>
/// <param name="Decoupled">True for AdamW (Loshchilov and Hutter, arXiv 1711.05101), false for Adam with L2.</param>
/// <param name="Step">Number of this step, from 1, for the bias correction.</param>
/// <param name="Rounding">How weight and moments are rounded to bfloat16; null for to nearest. Other formats take null only.</param>
public readonly record struct AdamWStep(
    double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay, bool Decoupled, int Step,
    StochasticRounding? Rounding = null);

/// <summary>Family adamw: global gradient norm, clip, and the fused update in one pass over memory.</summary>
public abstract partial class Device
{
    /// <summary>result (1, 1), scalar, += sum of squares of all elements, accumulated in the scalar format in a fixed order.</summary>
    public void AddSquaredNorm(Tensor result, Tensor gradient)
    {
        Check.Shape(nameof(AddSquaredNorm), result, 1, 1);
        using var observed = listener is null ? default : Observe(nameof(AddSquaredNorm), SquaredNormCost(gradient.Length, Size(gradient)));
        AddSquaredNormCore(result, gradient);
    }

    /// <summary>
    /// From a sum of squares: result (1, 2) = (norm, factor) with <c>norm = scale * sqrt(squaredNorm)</c> and
    /// <c>factor = scale * min(1, maxNorm / (norm + 1e-6))</c> as torch's clip_grad_norm_; maxNorm 0 never clips.
    /// </summary>
    /// <param name="result">(1, 2), scalars.</param>
    /// <param name="squaredNorm">(1, 1), scalar, over the unscaled gradients.</param>
    /// <param name="maxNorm">Largest norm.</param>
    /// <param name="scale">1 / micro-batches: gradients were summed, the step takes their mean.</param>
    public void ClipFactor(Tensor result, Tensor squaredNorm, double maxNorm, double scale)
    {
        Check.Shape(nameof(ClipFactor), result, 1, 2);
        Check.Shape(nameof(ClipFactor), squaredNorm, 1, 1);
        using var observed = listener is null ? default : Observe(nameof(ClipFactor), SumCost(1, Size(squaredNorm)));
        ClipFactorCore(result, squaredNorm, maxNorm, scale);
    }

    /// <summary>
    /// One step, all tensors of one shape. With g = gradientFactor * gradient (+ decay * master for Adam):
    /// m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; master *= 1 - lr * decay for AdamW; then
    /// master -= lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps). PyTorch's order of operations. The moments in it are those before
    /// they are rounded to a narrower format.
    /// </summary>
    /// <param name="master">Of <see cref="ParameterKind"/>, as gradient, m and v are; updated.</param>
    /// <param name="copy">Compute, written with the rounded master; none where the device shares master weights.</param>
    /// <param name="gradient">Read.</param>
    /// <param name="m">Updated.</param>
    /// <param name="v">Updated.</param>
    /// <param name="step">Constants.</param>
    /// <param name="gradientFactor">(1, 1), scalar: the clip factor.</param>
    public void AdamW(Tensor master, Tensor copy, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor)
    {
        Check.OptionalShape(nameof(AdamW), copy, master.Rows, master.Columns);
        Check.Shape(nameof(AdamW), gradient, master.Rows, master.Columns);
        Check.Shape(nameof(AdamW), m, master.Rows, master.Columns);
        Check.Shape(nameof(AdamW), v, master.Rows, master.Columns);
        Check.Shape(nameof(AdamW), gradientFactor, 1, 1);
        Check.That(step.Step > 0, nameof(AdamW), $"step is {step.Step}", "1 or more");
        Check.That(step.Rounding is null || FormatOf(master.Buffer.Kind) == NumberFormat.BFloat16, nameof(AdamW),
            $"stochastic rounding of weights in {FormatOf(master.Buffer.Kind)}", "bfloat16, or rounding to nearest");
        using var observed = listener is null ? default : Observe(nameof(AdamW), AdamWCost(master.Length, Size(master)));
        AdamWCore(master, copy, gradient, m, v, step, gradientFactor);
    }

    public static OpCost AdamWCost(long length, int size) => new(14.0 * length, 7.0 * length * size);

    public static OpCost SquaredNormCost(long length, int size) => new(2.0 * length, 1.0 * length * size);

    protected abstract void AddSquaredNormCore(Tensor result, Tensor gradient);

    protected abstract void ClipFactorCore(Tensor result, Tensor squaredNorm, double maxNorm, double scale);

    protected abstract void AdamWCore(
        Tensor master, Tensor copy, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor);
}
