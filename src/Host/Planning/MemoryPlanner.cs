using RepNoise.Host.Model;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Planning;

/// <summary>Bytes that a run's device will hand out.</summary>
/// <param name="Bytes">By <see cref="MemoryCategory"/>; they add up to the peak.</param>
/// <param name="Peak">Their sum at its largest.</param>
/// <param name="Work">What the operations of one step need, each as it states its cost: all micro-batches and the optimizer.</param>
public sealed record MemoryPlan(IReadOnlyDictionary<string, long> Bytes, long Peak, OpCost Work)
{
    /// <summary>What does not depend on the batch: weights, gradients and moments.</summary>
    public long OfModel => Of(MemoryCategory.Weights) + Of(MemoryCategory.Gradients) + Of(MemoryCategory.Moments);

    public long Of(string category) => Bytes.GetValueOrDefault(category);
}

/// <summary>
/// Plans a run's memory by running its own code, weights to optimizer step, on a device without memory (see
/// <see cref="PlanningDevice"/>). What is counted is therefore what a run takes, not a formula that has to follow the code.
/// </summary>
/// <param name="config">The model.</param>
/// <param name="device">The device to plan for; it allocates and computes nothing.</param>
/// <param name="texts">What is trained on.</param>
public sealed class MemoryPlanner(ModelConfig config, Device device, PlannedTexts texts)
{
    /// <summary>More pairs than this have more distances than an int counts.</summary>
    private const int MostPairs = 32767;

    /// <summary>Plans a run.</summary>
    public MemoryPlan Plan(TrainingArguments arguments)
    {
        using var planning = device.CreatePlanningDevice();
        if (arguments is RepNoiseArguments { Loss: DefenceLoss.RandomInit })
        {
            using var untrained = new ModelParameters(config, planning, ParameterUse.Inference);
            return new MemoryPlan(planning.Memory.AtPeak, planning.Memory.Peak, default);
        }

        using var parameters = new ModelParameters(config, planning, ParameterUse.Training, arguments.Trained);
        using var objective = texts.MakeObjective(parameters, arguments);
        using var optimizer = Optimizer.Create(parameters, arguments);
        var (microBatch, update) = (new WorkSum(), new WorkSum());
        planning.Observer = update;
        parameters.ZeroGradients();
        planning.Observer = microBatch;
        objective.RunMicroBatch(texts.Heaviest(arguments.PerDeviceTrainBatchSize), 0, 0, new LossReport(config.NumHiddenLayers));
        planning.Observer = update;
        optimizer.GradientNorm(1);
        optimizer.Apply(0);
        planning.Observer = null;
        return new MemoryPlan(planning.Memory.AtPeak, planning.Memory.Peak, microBatch.Total * arguments.GradientAccumulationSteps + update.Total);
    }

    /// <summary>The largest batch whose run stays within <paramref name="bytes"/>; 0 where not even one text does.</summary>
    public int LargestBatch(TrainingArguments arguments, long bytes)
    {
        int limit = LargestCountable(arguments), fits = 0, tooLarge = 1;
        while (tooLarge <= limit && Fits(tooLarge))
        {
            fits = tooLarge;
            tooLarge = (int)Math.Min(2L * tooLarge, fits == limit ? limit + 1L : limit);
        }

        while (tooLarge - fits > 1)
        {
            int middle = fits + (tooLarge - fits) / 2;
            if (Fits(middle)) fits = middle;
            else tooLarge = middle;
        }

        return fits;

        bool Fits(int batch) => Plan(arguments with { PerDeviceTrainBatchSize = batch }).Peak <= bytes;
    }

    /// <summary>The largest batch that the data has, or whose rows and pairs of rows can be numbered.</summary>
    private int LargestCountable(TrainingArguments arguments)
    {
        long perText = (config.NumHiddenLayers + 2L) * 2 * arguments.MaxLength;
        long countable = Math.Min(MostPairs, Math.Max(1, int.MaxValue / perText));
        return (int)Math.Min(countable, texts.Count ?? countable);
    }
}
