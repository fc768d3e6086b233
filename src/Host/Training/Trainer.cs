using System.Diagnostics;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Host.Progress;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>What a run minimises: data and loss together.</summary>
public interface ITrainingObjective : IDisposable
{
    /// <summary>Number of examples in a pass over the data.</summary>
    int ExampleCount { get; }

    /// <summary>Loss terms on the device, a row for each micro-batch of a step, with one slot to spare.</summary>
    LossScalars Scalars { get; }

    /// <summary>Queues forward and backward of a micro-batch; parameter gradients accumulate. Nothing waits for the device.</summary>
    /// <param name="examples">Indices of its examples.</param>
    /// <param name="step">Optimizer step, from 0.</param>
    /// <param name="microBatch">Number of the micro-batch since the run began, from 0.</param>
    /// <param name="row">Its number within the step, from 0: where its terms go.</param>
    void QueueMicroBatch(ReadOnlySpan<int> examples, int step, long microBatch, int row);

    /// <summary>The terms of a micro-batch of this step, once <see cref="Scalars"/> are downloaded.</summary>
    void Read(int row, LossReport report);

    /// <summary>Where an example came from, for messages.</summary>
    string PlaceOf(int example);
}

/// <summary>Micro-batches outside a trainer.</summary>
public static class TrainingObjectives
{
    /// <summary>Forward and backward of a micro-batch, whose terms are waited for; parameter gradients accumulate.</summary>
    /// <param name="objective">Data and loss.</param>
    /// <param name="examples">Indices of its examples.</param>
    /// <param name="step">Optimizer step, from 0.</param>
    /// <param name="microBatch">Number of the micro-batch since the run began, from 0.</param>
    /// <param name="report">Takes the terms.</param>
    public static void RunMicroBatch(
        this ITrainingObjective objective, ReadOnlySpan<int> examples, int step, long microBatch, LossReport report)
    {
        objective.QueueMicroBatch(examples, step, microBatch, 0);
        objective.Scalars.Download();
        objective.Read(0, report);
    }
}

/// <summary>A loss or gradient was not finite; the weights are those of the last good step.</summary>
/// <param name="step">The step, from 1.</param>
/// <param name="term">The loss term, or <c>grad_norm</c>.</param>
/// <param name="value">NaN or an infinity.</param>
/// <param name="batch">Where its examples came from.</param>
/// <param name="parameter">Of a gradient, the first tensor on the way back from the loss that has one which is not finite.</param>
public sealed class NonFiniteException(int step, string term, double value, string batch, string? parameter = null)
    : InputException(
        $"step {step}",
        $"{term} is {value.ToString(System.Globalization.CultureInfo.InvariantCulture)}{(parameter is null ? "" : $", first in the gradient of {parameter},")} in the batch of {batch}",
        "finite values", "lower learning_rate, set max_grad_norm, or look at these examples; the weights before this step are kept")
{
    public int Step { get; } = step;

    public string Term { get; } = term;

    public string? Parameter { get; } = parameter;
}

/// <summary>Where a run stands between two steps.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="TotalSteps">Steps of the whole run.</param>
/// <param name="Epoch">Passes over the data that are done.</param>
/// <param name="MicroBatches">Micro-batches done; retain rows are drawn by their number.</param>
/// <param name="Position">Place of the next example in the endless order of examples.</param>
/// <param name="Seconds">Time since the first step, in all processes of the run together.</param>
public sealed record TrainerProgress(int Step, int TotalSteps, double Epoch, long MicroBatches, long Position, double Seconds);

/// <summary>
/// The loop of every training run: order, micro-batches, clip, update, report. In steady state it allocates nothing. A step waits for
/// its device once, for the terms and the norm together, before the update that they may forbid; the update itself is waited for by the
/// next step.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly ModelParameters parameters;
    private readonly Device device;
    private readonly ITrainingObjective objective;
    private readonly Optimizer optimizer;
    private readonly LearningRateSchedule schedule;
    private readonly StepPlan plan;
    private readonly ExampleOrder order;
    private readonly LossReport micro;
    private readonly int normSlot;
    private readonly LossTerm[] terms = new LossTerm[4];
    private readonly PeakMemory memory = new();
    private readonly int[] examples;
    private long microBatches;
    private long started;
    private double secondsBefore;

    /// <param name="parameters">Weights to train.</param>
    /// <param name="objective">Data and loss; stays the caller's.</param>
    /// <param name="arguments">Batch sizes, optimizer, schedule, seeds.</param>
    public Trainer(ModelParameters parameters, ITrainingObjective objective, TrainingArguments arguments)
    {
        (this.parameters, this.objective, device) = (parameters, objective, parameters.Device);
        plan = new StepPlan(arguments, objective.ExampleCount);
        optimizer = Optimizer.Create(parameters, arguments);
        schedule = new LearningRateSchedule(arguments, plan.TotalSteps);
        order = new ExampleOrder(objective.ExampleCount, arguments.DataSeed ?? arguments.Seed, PhiloxPurpose.DataOrder, arguments.Shuffle);
        Loss = new LossReport(parameters.Config.NumHiddenLayers);
        micro = new LossReport(parameters.Config.NumHiddenLayers);
        normSlot = objective.Scalars.Reserve(1);
        examples = new int[arguments.PerDeviceTrainBatchSize];
    }

    public int TotalSteps => plan.TotalSteps;

    /// <summary>Steps and state of the optimizer: with the weights, all that a run needs to go on.</summary>
    public Optimizer Optimizer => optimizer;

    /// <summary>Steps done.</summary>
    public int StepsDone => optimizer.Steps;

    /// <summary>Where the run stands after its last step: all of it but weights and <see cref="State"/>.</summary>
    public TrainerProgress Progress => new(
        StepsDone, TotalSteps, StepsDone == 0 ? 0 : plan.EpochAfter(StepsDone - 1), microBatches, plan.Examples(StepsDone, 0).First, Seconds);

    /// <summary>What the optimizer remembers between steps.</summary>
    public IReadOnlyList<OptimizerTensor> State => optimizer.State;

    /// <summary>The last step's loss, mean over its micro-batches.</summary>
    public LossReport Loss { get; }

    /// <summary>
    /// Goes on after a step of an earlier process as if the run had not ended there; weights and <see cref="State"/> are filled by
    /// the caller. Data order and noise need nothing else: they are functions of the seeds and the step.
    /// </summary>
    /// <param name="step">Steps done.</param>
    /// <param name="seconds">Time they took.</param>
    public void Restore(int step, double seconds)
    {
        optimizer.ContinueFrom(step);
        (microBatches, secondsBefore) = (plan.MicroBatchesBefore(step), seconds);
    }

    /// <summary>Runs all steps that are left, or up to the end of the step in which <paramref name="stop"/> comes.</summary>
    /// <param name="observers">Told of each step, in order.</param>
    /// <param name="stop">Ends the run after the current step.</param>
    /// <returns>True where all steps are done, false where the run was stopped.</returns>
    /// <exception cref="NonFiniteException">A loss or gradient was not finite; that step changed nothing.</exception>
    public bool Run(IReadOnlyList<IStepObserver> observers, CancellationToken stop = default)
    {
        while (StepsDone < TotalSteps)
        {
            if (stop.IsCancellationRequested) return false;
            RunStep(observers);
        }

        return true;
    }

    /// <summary>One optimizer step.</summary>
    public void RunStep(IReadOnlyList<IStepObserver> observers)
    {
        int step = StepsDone;
        long begun = Stopwatch.GetTimestamp();
        if (started == 0) started = begun;
        double norm;
        using (device.Scope(Phase.Step, step + 1))
        {
            Accumulate(step);
            norm = Update(step);
        }

        Report(step, norm, begun, observers);
    }

    public void Dispose()
    {
        optimizer.Dispose();
        memory.Dispose();
    }

    private double Seconds => secondsBefore + (started == 0 ? 0 : Stopwatch.GetElapsedTime(started).TotalSeconds);

    private void Accumulate(int step)
    {
        using (device.Scope(Phase.Optimizer)) parameters.ZeroGradients();
        int count = plan.MicroBatches(step);
        for (int m = 0; m < count; m++)
        {
            using var scope = device.Scope(Phase.MicroBatch, m);
            objective.QueueMicroBatch(Examples(step, m), step, microBatches++, m);
            if (!device.ShowsTensors) continue;
            // Whoever looks on reads every tensor anyway, and wants the terms among those of their micro-batch.
            objective.Scalars.Download();
            objective.Read(m, micro);
            micro.Show(device);
        }
    }

    /// <summary>Reads the terms, clips and applies the gradients; returns their norm before clipping.</summary>
    private double Update(int step)
    {
        int count = plan.MicroBatches(step);
        double norm;
        using (device.Scope(Phase.Optimizer))
        {
            objective.Scalars.Row = count - 1;
            optimizer.QueueGradientNorm(count, objective.Scalars.Slots(normSlot, 1));
            objective.Scalars.Download();
            norm = objective.Scalars[normSlot];
        }

        ReadTerms(step, count);
        using var scope = device.Scope(Phase.Optimizer);
        Show("gradient", parameter => parameter.Gradient);
        device.Show("grad_norm", norm);
        if (!double.IsFinite(norm)) throw NonFinite(step, "grad_norm", norm, count - 1, optimizer.NonFiniteGradient()?.Name);
        optimizer.Apply(schedule.At(step));
        Show("weight", parameter => parameter.Master);
        return norm;
    }

    /// <summary>The step's loss from the terms of its micro-batches.</summary>
    private void ReadTerms(int step, int count)
    {
        Loss.Clear();
        for (int m = 0; m < count; m++)
        {
            objective.Read(m, micro);
            if (micro.NonFinite() is var (term, value)) throw NonFinite(step, term, value, m);
            Loss.AddMean(micro, 1.0 / count);
        }
    }

    /// <summary>Shows one part of every trained parameter under the checkpoint's names.</summary>
    private void Show(string name, Func<Parameter, Tensor> part)
    {
        if (!device.ShowsTensors) return;
        using var scope = device.Scope(name);
        foreach (var parameter in parameters.TrainedParameters) device.Show(parameter.Name, part(parameter));
    }

    private void Report(int step, double norm, long begun, IReadOnlyList<IStepObserver> observers)
    {
        double seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        var report = new StepReport
        {
            Step = step + 1,
            TotalSteps = TotalSteps,
            Epoch = plan.EpochAfter(step),
            Loss = Loss.Total,
            Terms = terms.AsSpan(0, Loss.Terms(terms)),
            Mmd = Loss.Mmd.AsSpan(0, Loss.MmdCount),
            LensLoss = Loss.Lens.AsSpan(0, Loss.LensCount),
            GradNorm = norm,
            LearningRate = schedule.At(step),
            Tokens = Loss.Tokens,
            TokensPerSecond = Loss.Tokens / Math.Max(seconds, 1e-9),
            Seconds = Seconds,
            PeakMemoryBytes = memory.Read(),
        };
        foreach (var observer in observers) observer.OnStep(report);
    }

    private Span<int> Examples(int step, int microBatch)
    {
        var (first, count) = plan.Examples(step, microBatch);
        for (int i = 0; i < count; i++) examples[i] = order.At(first + i);
        return examples.AsSpan(0, count);
    }

    private NonFiniteException NonFinite(int step, string term, double value, int microBatch, string? parameter = null)
    {
        var places = Examples(step, microBatch).ToArray().Select(objective.PlaceOf);
        return new NonFiniteException(step + 1, term, value, string.Join(", ", places), parameter);
    }
}
