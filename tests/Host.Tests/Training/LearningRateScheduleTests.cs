using RepNoise.Host.Training;

namespace RepNoise.Host.Tests.Training;

/// <summary>Rates as transformers' get_scheduler gives them, written out by hand from its formulas.</summary>
public sealed class LearningRateScheduleTests
{
    private static TrainingArguments Arguments(SchedulerType type, double ratio = 0.1, int steps = 0) =>
        new() { LearningRate = 1e-3, LrSchedulerType = type, WarmupRatio = ratio, WarmupSteps = steps };

    [Fact]
    public void Cosine_warms_up_from_zero_and_ends_near_zero()
    {
        var schedule = new LearningRateSchedule(Arguments(SchedulerType.Cosine), 20);
        Assert.Equal(0, schedule.At(0));
        Assert.Equal(0.5e-3, schedule.At(1), 12);
        Assert.Equal(1e-3, schedule.At(2), 12);
        Assert.Equal(0.5e-3, schedule.At(11), 12);
        Assert.Equal(1e-3 * 0.5 * (1 + Math.Cos(Math.PI * 17 / 18)), schedule.At(19), 12);
    }

    [Fact]
    public void Linear_falls_to_zero_after_the_warm_up()
    {
        var schedule = new LearningRateSchedule(Arguments(SchedulerType.Linear, steps: 5), 25);
        Assert.Equal(0.8e-3, schedule.At(4), 12);
        Assert.Equal(1e-3, schedule.At(5), 12);
        Assert.Equal(0.5e-3, schedule.At(15), 12);
        Assert.Equal(0.05e-3, schedule.At(24), 12);
    }

    [Fact]
    public void Constant_ignores_the_warm_up_and_constant_with_warmup_keeps_it()
    {
        Assert.Equal(1e-3, new LearningRateSchedule(Arguments(SchedulerType.Constant), 10).At(0));
        var warm = new LearningRateSchedule(Arguments(SchedulerType.ConstantWithWarmup, 0.25), 10);
        Assert.Equal(0, warm.At(0)); // ceil(2.5) = 3 warm-up steps
        Assert.Equal(2e-3 / 3, warm.At(2), 12);
        Assert.Equal(1e-3, warm.At(9));
    }

    [Fact]
    public void Warm_up_steps_are_rounded_up()
    {
        var schedule = new LearningRateSchedule(Arguments(SchedulerType.Cosine), 11);
        Assert.Equal(0.5e-3, schedule.At(1), 12); // ceil(1.1) = 2
        Assert.Equal(1e-3, schedule.At(2), 12);
    }
}
