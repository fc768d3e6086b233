using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>AdamW (Loshchilov and Hutter, arXiv 1711.05101) and Adam with L2, as torch.optim has them.</summary>
internal sealed class AdamOptimizer : Optimizer
{
    private readonly IReadOnlyDictionary<WeightBlock, Tensor> mean;
    private readonly IReadOnlyDictionary<WeightBlock, Tensor> square;

    public AdamOptimizer(ModelParameters parameters, TrainingArguments arguments)
        : base(parameters, arguments)
    {
        mean = AllocateLikeBlocks();
        square = AllocateLikeBlocks();
        State = [.. Named(mean, "exp_avg"), .. Named(square, "exp_avg_sq")];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State { get; }

    private protected override void Update(double learningRate)
    {
        using var captured = Device.Capture("update");
        uint number = 0;
        foreach (var block in Parameters.Trained)
        {
            StochasticRounding? rounding = Arguments.StateRounding == StateRounding.Stochastic ? new(Arguments.Seed, number++) : null;
            var step = new AdamWStep(learningRate, Arguments.AdamBeta1, Arguments.AdamBeta2, Arguments.AdamEpsilon,
                DecayOf(block), Arguments.Optim == OptimizerType.AdamW, Steps, rounding);
            Device.AdamW(block.Master, CopyOf(block), block.Gradient, mean[block], square[block], step, GradientFactor);
        }
    }
}
