using System.Diagnostics;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>What a run minimises: data and loss together.</summary>
public interface ITrainingObjective : IDisposable
{
    /// <summary>Number of examples in a pass over the data.</summary>
    int ExampleCount { get; }

    /// <summary>Forward and backward of a micro-batch; parameter gradients accumulate.</summary>
    /// <param name="examples">Indices of its examples.</param>
    /// <param name="step">Optimizer step, from 0.</param>
    /// <param name="microBatch">Number of the micro-batch since the run began, from 0.</param>
    /// <param name="report">Takes the terms.</param>
    void RunMicroBatch(ReadOnlySpan<int> examples, int step, long microBatch, LossReport report);

    /// <summary>Where an example came from, for messages.</summary>
    string PlaceOf(int example);
}

/// <summary>What a step did, as the progress display and metrics.jsonl want it. Refilled for each step.</summary>
public sealed class StepResult(int layers)
{
    /// <summary>Number of the step, from 1.</summary>
    public int Step { get; internal set; }

    public int TotalSteps { get; internal set; }

    public double Epoch { get; internal set; }

    /// <summary>Means over the step's micro-batches.</summary>
    public LossReport Loss { get; } = new(layers);

    public double GradientNorm { get; internal set; }

    public double LearningRate { get; internal set; }

    public double Seconds { get; internal set; }

    public long PeakMemoryBytes { get; internal set; }

    public double TokensPerSecond => Seconds > 0 ? Loss.Tokens / Seconds : 0;
}

/// <summary>A loss or gradient was not finite; the weights are those of the last good step.</summary>
public sealed class NonFiniteException(int step, string term, double value, string batch)
    : InputException(
        $"step {step}", $"{term} is {value.ToString(System.Globalization.CultureInfo.InvariantCulture)} in the batch of {batch}",
        "finite values", "lower learning_rate, set max_grad_norm, or look at these examples; the weights before this step are kept")
{
    public int Step { get; } = step;

    public string Term { get; } = term;
}

/// <summary>The loop of every training run: order, micro-batches, clip, update, report.</summary>
public sealed class Trainer : IDisposable
{
    private readonly ModelParameters parameters;
    private readonly ITrainingObjective objective;
    private readonly Optimizer optimizer;
    private readonly LearningRateSchedule schedule;
    private readonly StepPlan plan;
    private readonly ExampleOrder order;
    private readonly StepResult result;
    private readonly LossReport micro;
    private readonly PeakMemory memory = new();
    private readonly int[] examples;
    private long microBatches;

    public Trainer(ModelParameters parameters, ITrainingObjective objective, TrainingArguments arguments)
    {
        (this.parameters, this.objective) = (parameters, objective);
        plan = new StepPlan(arguments, objective.ExampleCount);
        optimizer = new Optimizer(parameters, arguments);
        schedule = new LearningRateSchedule(arguments, plan.TotalSteps);
        order = new ExampleOrder(objective.ExampleCount, arguments.DataSeed ?? arguments.Seed, PhiloxPurpose.DataOrder);
        result = new StepResult(parameters.Config.NumHiddenLayers);
        micro = new LossReport(parameters.Config.NumHiddenLayers);
        examples = new int[arguments.PerDeviceTrainBatchSize];
    }

    public int TotalSteps => plan.TotalSteps;

    /// <summary>Steps done.</summary>
    public int StepsDone => optimizer.Steps;

    /// <summary>Runs all steps that are left, or up to the end of the step in which <paramref name="stop"/> comes.</summary>
    /// <param name="onStep">Told the result of each step; the object is refilled by the next.</param>
    /// <param name="stop">Ends the run after the current step.</param>
    /// <returns>True where all steps are done, false where the run was stopped.</returns>
    /// <exception cref="NonFiniteException">A loss or gradient was not finite; that step changed nothing.</exception>
    public bool Run(Action<StepResult> onStep, CancellationToken stop = default)
    {
        while (StepsDone < TotalSteps)
        {
            if (stop.IsCancellationRequested) return false;
            onStep(RunStep());
        }

        return true;
    }

    /// <summary>One optimizer step.</summary>
    public StepResult RunStep()
    {
        int step = StepsDone;
        long start = Stopwatch.GetTimestamp();
        Accumulate(step);
        result.GradientNorm = optimizer.GradientNorm(plan.MicroBatches(step));
        if (!double.IsFinite(result.GradientNorm)) throw NonFinite(step, "grad_norm", result.GradientNorm, plan.MicroBatches(step) - 1);
        result.LearningRate = schedule.At(step);
        optimizer.Apply(result.LearningRate);
        parameters.Device.Synchronize();
        (result.Step, result.TotalSteps, result.Epoch) = (step + 1, TotalSteps, plan.EpochAfter(step));
        result.Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        result.PeakMemoryBytes = memory.Read();
        return result;
    }

    public void Dispose()
    {
        optimizer.Dispose();
        memory.Dispose();
    }

    private void Accumulate(int step)
    {
        parameters.ZeroGradients();
        result.Loss.Clear();
        int count = plan.MicroBatches(step);
        for (int m = 0; m < count; m++)
        {
            objective.RunMicroBatch(Examples(step, m), step, microBatches++, micro);
            if (micro.NonFinite() is var (term, value)) throw NonFinite(step, term, value, m);
            result.Loss.AddMean(micro, 1.0 / count);
        }
    }

    private Span<int> Examples(int step, int microBatch)
    {
        var (first, count) = plan.Examples(step, microBatch);
        for (int i = 0; i < count; i++) examples[i] = order.At(first + i);
        return examples.AsSpan(0, count);
    }

    private NonFiniteException NonFinite(int step, string term, double value, int microBatch)
    {
        var places = Examples(step, microBatch).ToArray().Select(objective.PlaceOf);
        return new NonFiniteException(step + 1, term, value, string.Join(", ", places));
    }
}
