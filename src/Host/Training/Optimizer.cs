using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>Global norm, clip and the AdamW or Adam update of all weights. Weight decay leaves norms and biases alone.</summary>
public sealed class Optimizer : IDisposable
{
    private readonly ModelParameters parameters;
    private readonly Device device;
    private readonly TrainingArguments arguments;
    private readonly LossScalars scalars;
    private readonly int squaredNorm;
    private readonly int clip;

    public Optimizer(ModelParameters parameters, TrainingArguments arguments)
    {
        (this.parameters, this.arguments) = (parameters, arguments);
        device = parameters.Device;
        scalars = new LossScalars(device, 3);
        squaredNorm = scalars.Reserve(1);
        clip = scalars.Reserve(2);
    }

    /// <summary>Steps applied so far.</summary>
    public int Steps { get; private set; }

    /// <summary>What it remembers between steps, beside <see cref="Steps"/> and the weights.</summary>
    public IReadOnlyList<StateTensor> State =>
    [
        .. parameters.Parameters.Select(p => new StateTensor(p.Name + ".exp_avg", p.Shape, p.PartOf(p.Block.Moment1))),
        .. parameters.Parameters.Select(p => new StateTensor(p.Name + ".exp_avg_sq", p.Shape, p.PartOf(p.Block.Moment2))),
    ];

    /// <summary>Goes on as after that many steps; weights and <see cref="State"/> are filled by the caller.</summary>
    public void Restore(int steps) => Steps = steps;

    /// <summary>Norm of the mean gradient over the micro-batches of this step, before clipping.</summary>
    /// <param name="microBatches">How many micro-batches were summed into the gradients.</param>
    public double GradientNorm(int microBatches)
    {
        scalars.Clear();
        foreach (var block in parameters.Blocks) device.AddSquaredNorm(scalars.Slots(squaredNorm, 1), block.Gradient);
        device.ClipFactor(scalars.Slots(clip, 2), scalars.Slots(squaredNorm, 1), arguments.MaxGradNorm, 1.0 / microBatches);
        scalars.Download();
        return scalars[clip];
    }

    /// <summary>Updates all weights; follows <see cref="GradientNorm"/>, whose clip factor it applies.</summary>
    public void Apply(double learningRate)
    {
        Steps++;
        var factor = scalars.Slots(clip, 2).Element(1);
        foreach (var block in parameters.Blocks)
        {
            var step = new AdamWStep(learningRate, arguments.AdamBeta1, arguments.AdamBeta2, arguments.AdamEpsilon,
                block.Decays ? arguments.WeightDecay : 0, arguments.Optim == OptimizerType.AdamW, Steps);
            var copy = device.SharesMasterWeights ? default : block.Value;
            device.AdamW(block.Master, copy, block.Gradient, block.Moment1, block.Moment2, step, factor);
        }
    }

    public void Dispose() => scalars.Dispose();
}
