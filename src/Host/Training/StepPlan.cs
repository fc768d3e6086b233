namespace RepNoise.Host.Training;

/// <summary>
/// How many steps a run has and which examples each takes, as transformers' Trainer counts them: an epoch's last micro-batch may
/// be short, and so may the accumulation of its last step; <c>max_steps</c> overrides the number of epochs.
/// </summary>
public sealed class StepPlan
{
    private readonly int examples;
    private readonly int batchSize;
    private readonly int accumulation;

    public StepPlan(TrainingArguments arguments, int examples)
    {
        this.examples = examples;
        batchSize = arguments.PerDeviceTrainBatchSize;
        accumulation = arguments.GradientAccumulationSteps;
        BatchesPerEpoch = (examples + batchSize - 1) / batchSize;
        StepsPerEpoch = (BatchesPerEpoch + accumulation - 1) / accumulation;
        TotalSteps = arguments.MaxSteps > 0 ? arguments.MaxSteps
            : (int)Math.Min(int.MaxValue, Math.Ceiling(arguments.NumTrainEpochs * StepsPerEpoch));
    }

    public int BatchesPerEpoch { get; }

    public int StepsPerEpoch { get; }

    public int TotalSteps { get; }

    /// <summary>Micro-batches of a step.</summary>
    public int MicroBatches(int step)
    {
        int first = step % StepsPerEpoch * accumulation;
        return Math.Min(accumulation, BatchesPerEpoch - first);
    }

    /// <summary>Micro-batches of all steps before one.</summary>
    public long MicroBatchesBefore(int step) =>
        (long)(step / StepsPerEpoch) * BatchesPerEpoch + (long)(step % StepsPerEpoch) * accumulation;

    /// <summary>Passes over the data that are done when a step ends.</summary>
    public double EpochAfter(int step) =>
        step / StepsPerEpoch + Math.Min(1.0, (step % StepsPerEpoch + 1.0) * accumulation / BatchesPerEpoch);

    /// <summary>Positions in the endless order of examples that a step's micro-batch takes.</summary>
    public (long First, int Count) Examples(int step, int microBatch)
    {
        int batch = step % StepsPerEpoch * accumulation + microBatch;
        long epoch = step / StepsPerEpoch;
        return (epoch * examples + (long)batch * batchSize, Math.Min(batchSize, examples - batch * batchSize));
    }
}
