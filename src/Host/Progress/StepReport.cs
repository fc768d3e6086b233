namespace RepNoise.Host.Progress;

/// <summary>A named term of the loss, unweighted: <c>stability</c>, <c>noise</c>, <c>ascent</c>, <c>retain</c>.</summary>
public readonly record struct LossTerm(string Name, double Value);

/// <summary>
/// What one optimizer step did. It lives on the stack and borrows the trainer's buffers, so reporting a step allocates nothing;
/// observers copy what they keep.
/// </summary>
public readonly ref struct StepReport
{
    /// <summary>The step, from 1.</summary>
    public required int Step { get; init; }

    public required int TotalSteps { get; init; }

    /// <summary>Passes over the data so far, fractional.</summary>
    public required double Epoch { get; init; }

    /// <summary>The whole loss, mean over the step's micro-batches.</summary>
    public required double Loss { get; init; }

    /// <summary>The loss's terms in the order in which they are logged; empty for plain fine-tuning.</summary>
    public ReadOnlySpan<LossTerm> Terms { get; init; }

    /// <summary>MMD of each layer that enters the noise term; empty where there is none. (L)</summary>
    public ReadOnlySpan<double> Mmd { get; init; }

    /// <summary>Lens loss of the embedding output and of each layer; empty where there is none. (L + 1)</summary>
    public ReadOnlySpan<double> LensLoss { get; init; }

    /// <summary>Global norm of the gradient before clipping.</summary>
    public required double GradNorm { get; init; }

    public required double LearningRate { get; init; }

    /// <summary>Tokens that this step processed.</summary>
    public required long Tokens { get; init; }

    public required double TokensPerSecond { get; init; }

    /// <summary>Seconds since the run's first step began.</summary>
    public required double Seconds { get; init; }

    /// <summary>Largest memory that the process has held so far, in bytes.</summary>
    public required long PeakMemoryBytes { get; init; }
}

/// <summary>Someone who wants to know of every step: the metrics file, the screen.</summary>
public interface IStepObserver
{
    /// <summary>Called after each optimizer step, on the thread that trains.</summary>
    void OnStep(in StepReport report);
}
