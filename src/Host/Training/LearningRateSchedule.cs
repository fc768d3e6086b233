namespace RepNoise.Host.Training;

/// <summary>
/// Learning rate by step, as transformers' <c>get_scheduler</c> defines it: step 0 of a warm-up has rate 0, warm-up steps are
/// <c>ceil(total * warmup_ratio)</c> unless <c>warmup_steps</c> says otherwise, and cosine is half a period.
/// </summary>
public sealed class LearningRateSchedule
{
    private readonly SchedulerType type;
    private readonly double peak;
    private readonly int warmup;
    private readonly int total;

    /// <param name="arguments">Type, peak rate and warm-up.</param>
    /// <param name="totalSteps">Optimizer steps of the whole run.</param>
    public LearningRateSchedule(TrainingArguments arguments, int totalSteps)
    {
        (type, peak, total) = (arguments.LrSchedulerType, arguments.LearningRate, totalSteps);
        warmup = type == SchedulerType.Constant ? 0
            : arguments.WarmupSteps > 0 ? arguments.WarmupSteps
            : (int)Math.Ceiling(totalSteps * arguments.WarmupRatio);
    }

    /// <summary>The rate of an optimizer step, counted from 0.</summary>
    public double At(int step)
    {
        if (step < warmup) return peak * step / Math.Max(1, warmup);
        double progress = (double)(step - warmup) / Math.Max(1, total - warmup);
        return type switch
        {
            SchedulerType.Cosine => peak * Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * progress))),
            SchedulerType.Linear => peak * Math.Max(0, 1 - progress),
            _ => peak,
        };
    }
}
