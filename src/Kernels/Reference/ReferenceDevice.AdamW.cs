namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    /// <summary>Added to the norm before it divides, as torch's clip_grad_norm_ does.</summary>
    private const double ClipEpsilon = 1e-6;

    protected override void AddSquaredNormCore(Tensor result, Tensor gradient)
    {
        var from = Wide(gradient);
        double sum = 0;
        for (int r = 0; r < gradient.Rows; r++)
        {
            for (int c = 0; c < gradient.Columns; c++) sum += from[r, c] * from[r, c];
        }

        var to = Wide(result);
        to[0, 0] += sum;
    }

    protected override void ClipFactorCore(Tensor result, Tensor squaredNorm, double maxNorm, double scale)
    {
        var to = Wide(result);
        double norm = scale * Math.Sqrt(Wide(squaredNorm)[0, 0]);
        double clip = maxNorm == 0 ? 1 : Math.Min(1, maxNorm / (norm + ClipEpsilon));
        (to[0, 0], to[0, 1]) = (norm, scale * clip);
    }

    protected override void AdamWCore(
        Tensor master, Tensor copy, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor)
    {
        var (weights, gradients, first, second) = (Real(master), Real(gradient), Real(m), Real(v));
        var (beta1, rest1) = (ToReal(step.Beta1), ToReal(1 - step.Beta1));
        var (beta2, rest2) = (ToReal(step.Beta2), ToReal(1 - step.Beta2));
        var rate = ToReal(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)));
        var rootCorrection = ToReal(Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step)));
        var epsilon = ToReal(step.Epsilon);
        var factor = ToReal(Wide(gradientFactor)[0, 0]);
        var shrink = step.Decoupled ? ToReal(1 - step.LearningRate * step.WeightDecay) : TReal.One;
        var addedDecay = step.Decoupled ? TReal.Zero : ToReal(step.WeightDecay);
        for (int r = 0; r < master.Rows; r++)
        {
            for (int c = 0; c < master.Columns; c++)
            {
                var weight = weights[r, c];
                var g = factor * gradients[r, c] + addedDecay * weight;
                var mean = beta1 * first[r, c] + rest1 * g;
                var square = beta2 * second[r, c] + rest2 * (g * g);
                var denominator = TReal.Sqrt(square) / rootCorrection + epsilon;
                first[r, c] = Stored(mean, step, RoundedValue.Mean, r, c);
                second[r, c] = Stored(square, step, RoundedValue.Square, r, c);
                weights[r, c] = Stored(weight * shrink - rate * (mean / denominator), step, RoundedValue.Weight, r, c);
            }
        }

        if (!copy.IsEmpty) CopyCore(copy, master);
    }

    /// <summary>The value, or where rounding is stochastic the bfloat16 value that is stored for it.</summary>
    private static TReal Stored(TReal value, in AdamWStep step, RoundedValue kind, int row, int column) => step.Rounding is { } rounding
        ? TReal.CreateTruncating(StochasticRounding.Round(
            float.CreateTruncating(value), rounding.Bits(kind, step.Step, row, column / StochasticRounding.Columns), column))
        : value;
}
