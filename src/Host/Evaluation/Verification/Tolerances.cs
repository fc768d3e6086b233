namespace RepNoise.Host.Evaluation.Verification;

/// <summary>
/// How far a float32 engine may be from values computed in float64. Each bound is about five times the worst that reordered sums
/// and one-ulp perturbations of the weights were seen to do, per tensor as <c>norm(a - b) / norm(b)</c>.
/// </summary>
public static class Tolerances
{
    public const double Logits = 1e-5;
    public const double Hidden = 1e-5;
    public const double Loss = 2e-6;
    public const double Gradient = 3e-5;

    /// <summary>Losses after one and two AdamW steps.</summary>
    public const double LaterLoss = 1e-4;

    /// <summary>Weights after three AdamW steps.</summary>
    public const double Weights = 5e-4;

    /// <summary>The same weights less where they started: <c>norm(difference) / norm(update)</c>.</summary>
    public const double Update = 3e-2;

    /// <summary>On a bfloat16 device: how many times the naive loops' error in that format is allowed.</summary>
    public const double BFloat16Forward = 2;

    /// <inheritdoc cref="BFloat16Forward"/>
    public const double BFloat16Backward = 3;

    /// <summary>What is allowed where the naive loops were lucky: one rounding to bfloat16.</summary>
    public const double BFloat16Floor = 1.0 / 256;

    /// <summary>Greedy tokens that may differ although the naive loops' do not: two logits closer than bfloat16 can tell.</summary>
    public const double BFloat16Tokens = 1;

    /// <summary>Median absolute difference over the learning rate: what weight decay would show in.</summary>
    public const double Median = 1e-3;
}
