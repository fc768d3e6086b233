using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// Stochastic gradient descent as torch.optim.SGD has it: decay in the gradient, <c>b = momentum b + g</c>, step b, or
/// <c>g + momentum b</c> with Nesterov's form. Written with operations that every device has, through one block of work space.
/// </summary>
internal sealed class SgdOptimizer : Optimizer
{
    private readonly IReadOnlyDictionary<WeightBlock, Tensor>? velocity;
    private readonly DeviceBuffer work;

    public SgdOptimizer(ModelParameters parameters, TrainingArguments arguments)
        : base(parameters, arguments)
    {
        if (arguments.Momentum > 0) velocity = AllocateLikeBlocks();
        State = velocity is null ? [] : [.. Named(velocity, "momentum_buffer")];
        work = Own(Device.Allocate(Device.ParameterKind, parameters.Trained.Max(block => block.Length), MemoryCategory.Workspace));
    }

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State { get; }

    private protected override void Update(double learningRate)
    {
        using var captured = Device.Capture("update");
        foreach (var block in Parameters.Trained)
        {
            var step = Tensor.Of(work, block.Rows, block.Columns);
            Device.Fill(step, 0);
            Device.AddScaled(step, block.Gradient, 1, GradientFactor);
            if (DecayOf(block) > 0) Device.AddScaled(step, block.Master, DecayOf(block));
            if (velocity is null || Arguments.Nesterov) Device.AddScaled(block.Master, step, -learningRate);
            if (velocity is not null)
            {
                Device.AddScaled(step, velocity[block], Arguments.Momentum);
                Device.Copy(velocity[block], step);
                Device.AddScaled(block.Master, step, Arguments.Nesterov ? -learningRate * Arguments.Momentum : -learningRate);
            }

            if (!Device.SharesMasterWeights) Device.Copy(block.Value, block.Master);
        }
    }
}
