using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>A tensor that an optimizer carries from step to step.</summary>
/// <param name="Name">The parameter's name in the checkpoint and, after a dot, PyTorch's name of the state: <c>exp_avg</c>.</param>
/// <param name="Value">Its values on the device: a view of whole rows or of columns.</param>
public sealed record OptimizerTensor(string Name, Tensor Value);

/// <summary>
/// Global norm, clip and update of all weights that are trained. Weight decay leaves norms and biases alone. What a step depends
/// on besides weights and gradients is <see cref="Steps"/> and <see cref="State"/>: saved and restored, a run goes on to the bit.
/// </summary>
public abstract class Optimizer : IDisposable
{
    private readonly List<DeviceBuffer> buffers = [];
    private readonly LossScalars scalars;
    private readonly int squaredNorm;
    private readonly int clip;

    private protected Optimizer(ModelParameters parameters, TrainingArguments arguments)
    {
        (Parameters, Arguments) = (parameters, arguments);
        scalars = new LossScalars(Device, 3);
        squaredNorm = scalars.Reserve(1);
        clip = scalars.Reserve(2);
    }

    /// <summary>Steps applied so far.</summary>
    public int Steps { get; private set; }

    /// <summary>What is carried from step to step, zero before the first; filled by whoever restores a run.</summary>
    public abstract IReadOnlyList<OptimizerTensor> State { get; }

    private protected ModelParameters Parameters { get; }

    private protected TrainingArguments Arguments { get; }

    private protected Device Device => Parameters.Device;

    /// <summary>(1, 1), scalar: what every gradient is multiplied by, known to the device after <see cref="QueueGradientNorm"/>.</summary>
    private protected Tensor GradientFactor => scalars.Slots(clip, 2).Element(1);

    /// <summary><see cref="GradientFactor"/> on the host.</summary>
    private protected double KnownGradientFactor => scalars[clip + 1];

    /// <summary>The optimizer that <paramref name="arguments"/> name, at step 0.</summary>
    public static Optimizer Create(ModelParameters parameters, TrainingArguments arguments) => arguments.Optim switch
    {
        OptimizerType.Sgd => new SgdOptimizer(parameters, arguments),
        OptimizerType.Adafactor => new AdafactorOptimizer(parameters, arguments),
        _ => new AdamOptimizer(parameters, arguments),
    };

    /// <summary>Goes on from a step of an earlier run, whose <see cref="State"/> the caller fills.</summary>
    /// <param name="steps">Steps that run had applied.</param>
    public void ContinueFrom(int steps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        Steps = steps;
    }

    /// <summary>Norm of the mean gradient over the micro-batches of this step, before clipping.</summary>
    /// <param name="microBatches">How many micro-batches were summed into the gradients.</param>
    public double GradientNorm(int microBatches)
    {
        QueueGradientNorm(microBatches);
        scalars.Download();
        return scalars[clip];
    }

    /// <summary>The same without waiting for it.</summary>
    /// <param name="microBatches">How many micro-batches were summed into the gradients.</param>
    /// <param name="norm">(1, 1), scalar, takes the norm for whoever reads it later; none where nobody does.</param>
    public void QueueGradientNorm(int microBatches, Tensor norm = default)
    {
        using var captured = Device.Capture("gradient_norm");
        scalars.Clear();
        foreach (var block in Parameters.Trained) Device.AddSquaredNorm(scalars.Slots(squaredNorm, 1), block.Gradient);
        Device.ClipFactor(scalars.Slots(clip, 2), scalars.Slots(squaredNorm, 1), Arguments.MaxGradNorm, 1.0 / microBatches);
        if (!norm.IsEmpty) Device.Copy(norm, scalars.Slots(clip, 1));
    }

    /// <summary>
    /// The parameter nearest to the loss, that is, the last in the order of the parameters, whose gradient has a norm that is not finite;
    /// null where only their sum is not. For a step that is given up: what the last <see cref="QueueGradientNorm"/> found is lost.
    /// </summary>
    public Parameter? NonFiniteGradient()
    {
        foreach (var parameter in Parameters.TrainedParameters.Reverse())
        {
            scalars.Clear();
            Device.AddSquaredNorm(scalars.Slots(squaredNorm, 1), parameter.Gradient);
            scalars.Download();
            if (!double.IsFinite(scalars[squaredNorm])) return parameter;
        }

        return null;
    }

    /// <summary>Updates all weights; follows <see cref="GradientNorm"/>, whose clip factor it applies.</summary>
    public void Apply(double learningRate)
    {
        Steps++;
        Update(learningRate);
    }

    public void Dispose()
    {
        scalars.Dispose();
        foreach (var buffer in buffers) buffer.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The step that <see cref="Steps"/> counts last.</summary>
    private protected abstract void Update(double learningRate);

    /// <summary>Disposes a buffer with the optimizer.</summary>
    private protected DeviceBuffer Own(DeviceBuffer buffer)
    {
        buffers.Add(buffer);
        return buffer;
    }

    /// <summary>A tensor of every trained block's shape, zero, all in one buffer.</summary>
    private protected IReadOnlyDictionary<WeightBlock, Tensor> AllocateLikeBlocks()
    {
        var tensors = new Dictionary<WeightBlock, Tensor>();
        buffers.Add(ModelParameters.Place(
            Device, Parameters.Trained, Device.ParameterKind, MemoryCategory.Moments, (block, tensor) => tensors.Add(block, tensor)));
        return tensors;
    }

    /// <summary>Names tensors of blocks by the parameters that lie in them.</summary>
    private protected IEnumerable<OptimizerTensor> Named(IReadOnlyDictionary<WeightBlock, Tensor> tensors, string state) =>
        Parameters.TrainedParameters.Select(parameter => new OptimizerTensor($"{parameter.Name}.{state}", parameter.PartOf(tensors[parameter.Block])));

    /// <summary>What the update writes beside the master: the compute copy where the device keeps one.</summary>
    private protected Tensor CopyOf(WeightBlock block) => Device.SharesMasterWeights ? default : block.Value;

    private protected double DecayOf(WeightBlock block) => block.Decays ? Arguments.WeightDecay : 0;
}
