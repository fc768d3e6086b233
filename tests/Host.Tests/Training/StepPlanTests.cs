using CsCheck;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Training;

public sealed class StepPlanTests
{
    [Fact]
    public void Steps_and_short_batches_are_counted_as_transformers_counts_them()
    {
        var plan = new StepPlan(new TrainingArguments { PerDeviceTrainBatchSize = 4, GradientAccumulationSteps = 2, NumTrainEpochs = 1.5 }, 18);
        Assert.Equal((5, 3, 5), (plan.BatchesPerEpoch, plan.StepsPerEpoch, plan.TotalSteps)); // ceil(1.5 * 3)
        Assert.Equal([2, 2, 1, 2, 2], Enumerable.Range(0, 5).Select(plan.MicroBatches));
        Assert.Equal((16L, 2), plan.Examples(2, 0));
        Assert.Equal((18L, 4), plan.Examples(3, 0));
        Assert.Equal([0.4, 0.8, 1, 1.4, 1.8], Enumerable.Range(0, 5).Select(s => Math.Round(plan.EpochAfter(s), 10)));
    }

    [Fact]
    public void Max_steps_override_epochs() =>
        Assert.Equal(7, new StepPlan(new TrainingArguments { MaxSteps = 7, NumTrainEpochs = 100 }, 10).TotalSteps);

    [Fact]
    public void Every_epoch_visits_every_example_once() =>
        Gen.Select(Gen.Int[1, 50], Gen.Int[1, 9], Gen.Int[1, 4], Gen.ULong).Sample((examples, batch, accumulation, seed) =>
        {
            var arguments = new TrainingArguments { PerDeviceTrainBatchSize = batch, GradientAccumulationSteps = accumulation, NumTrainEpochs = 2 };
            var plan = new StepPlan(arguments, examples);
            var order = new ExampleOrder(examples, seed, PhiloxPurpose.DataOrder);
            for (int epoch = 0; epoch < 2; epoch++)
            {
                var seen = new List<int>();
                for (int s = epoch * plan.StepsPerEpoch; s < (epoch + 1) * plan.StepsPerEpoch; s++)
                {
                    for (int m = 0; m < plan.MicroBatches(s); m++)
                    {
                        var (first, count) = plan.Examples(s, m);
                        for (int i = 0; i < count; i++) seen.Add(order.At(first + i));
                    }
                }

                seen.Sort();
                Assert.Equal(Enumerable.Range(0, examples), seen);
            }
        }, iter: 200);

    [Fact]
    public void An_order_is_a_function_of_seed_purpose_and_position()
    {
        var order = new ExampleOrder(20, 5, PhiloxPurpose.DataOrder);
        int[] first = [.. Enumerable.Range(0, 60).Select(i => order.At(i))];
        var again = new ExampleOrder(20, 5, PhiloxPurpose.DataOrder);
        Assert.Equal(first[59], again.At(59)); // without visiting what came before
        Assert.Equal(first, Enumerable.Range(0, 60).Select(i => again.At(i)));
        var other = new ExampleOrder(20, 5, PhiloxPurpose.RetainOrder);
        Assert.NotEqual(first, Enumerable.Range(0, 60).Select(i => other.At(i)));
        Assert.NotEqual(first[..20], first[20..40]); // a fresh permutation for each pass
    }
}
