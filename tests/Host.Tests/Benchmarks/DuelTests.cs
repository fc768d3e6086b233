using RepNoise.Bench;
using RepNoise.Bench.Step;

namespace RepNoise.Host.Tests.Benchmarks;

/// <summary>The step benchmark times nothing that does not compute the same.</summary>
public class DuelTests
{
    [Fact]
    public void Sides_that_agree_are_timed_in_turns()
    {
        List<string> calls = [];
        Side ours = new(calls, "ours", [6, 5], [1, 3, 2]), theirs = new(calls, "theirs", [6.00003, 5.0005], [4, 6, 5]);

        var (mine, peers) = Duel.Run("b", "best", "ours (matmul=amx)", "libtorch", 2, ours, theirs, quick: true);

        Assert.Equal(2, mine.Seconds.Median);
        Assert.Equal(5, peers.Seconds.Median);
        Assert.Equal((6, 6.00003), (mine.Loss, peers.Loss));
        Assert.Equal(("ours (matmul=amx)", "libtorch"), (mine.Side, peers.Side));
        Assert.Equal(Enumerable.Repeat<string[]>(["ours", "theirs"], Job.ProofSteps + 3).SelectMany(pair => pair), calls);
    }

    [Theory]
    [InlineData(6, 6.001, 5, 5, "step 1")]
    [InlineData(6, 6, 5, 5.01, "step 2")]
    [InlineData(double.NaN, 6, 5, 5, "step 1")]
    [InlineData(6, 6, 5, double.NaN, "step 2")]
    public void A_planted_mismatch_stops_before_any_time_is_taken(double ours1, double theirs1, double ours2, double theirs2, string place)
    {
        List<string> calls = [];
        Side ours = new(calls, "ours", [ours1, ours2], []), theirs = new(calls, "theirs", [theirs1, theirs2], []);

        var error = Assert.Throws<InvalidOperationException>(() => Duel.Run("b", "best", "ours (matmul=amx)", "libtorch", 2, ours, theirs, quick: true));

        Assert.Contains($"shape b, {place}", error.Message, StringComparison.Ordinal);
        Assert.Contains("No time is reported", error.Message, StringComparison.Ordinal);
        Assert.Equal(place == "step 1" ? 2 : 4, calls.Count);
    }

    [Fact]
    public void Variants_of_our_side_are_part_of_its_name()
    {
        Assert.Equal("ours", OurKernels.Name(OurKernels.Read([])));
        Assert.Equal("ours (matmul=vector128, norm=vector128)", OurKernels.Name(OurKernels.Read(["matmul=vector128", "norm=vector128"])));
    }

    [Theory]
    [InlineData("found 'matmul', expected FAMILY=VARIANT", "matmul")]
    [InlineData("matmul is given twice", "matmul=vector128", "matmul=vector128")]
    [InlineData("there is no kernel family 'product'", "product=amx")]
    [InlineData("kernel family matmul has no variant 'fast'. Use one of ", "matmul=fast")]
    public void A_wrong_variant_is_refused_before_anything_runs(string message, params string[] choices)
    {
        var error = Assert.Throws<ArgumentException>(() => OurKernels.Read(choices));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Scaling_is_the_steps_gain_over_the_machines()
    {
        List<string> calls = [];
        Side one = new(calls, "one", [6, 5], [9, 8, 10]), all = new(calls, "all", [6, 5], [5, 6, 5]);

        var scaling = Scaling.Run("scaling", "ours", 2, one, all, threads => threads == 1 ? 100 : 200, quick: true);

        Assert.Equal((1.8, 2.0, 0.9), (scaling.Faster, scaling.MultiplyAdds, scaling.Share));
        Assert.Equal((1, 2), (scaling.One.Threads, scaling.All.Threads));
    }

    [Fact]
    public void Scaling_refuses_threads_that_change_a_bit()
    {
        Side one = new([], "one", [6, 5], []), all = new([], "all", [6, Math.BitIncrement(5.0)], []);

        var error = Assert.Throws<InvalidOperationException>(() => Scaling.Run("scaling", "ours", 2, one, all, _ => 1, quick: true));

        Assert.Contains("step 2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_spread_interpolates_between_its_values()
    {
        var spread = Spread.Of([5, 1, 3, 2, 4, 6]);

        Assert.Equal((3.5, 2, 5, 6), (spread.Median, spread.P20, spread.P80, spread.Count));
    }

    [Fact]
    public void Shape_c_is_eight_pairs_of_real_lengths()
    {
        var (name, job) = Assert.Single(Shape.Jobs("c", 2, "folder"));

        Assert.Equal("c", name);
        Assert.Equal(8, job.Harmful.Length);
        Assert.All(job.Harmful.Concat(job.Harmless), ids => Assert.InRange(ids.Length, 2, job.Length));
        var prompts = job.Harmful.Zip(job.Harmless, (h, s) => h.Zip(s).TakeWhile(ids => ids.First == ids.Second).Count());
        Assert.InRange(Spread.Of(prompts.Select(length => (double)length)).Median, 15, 25);
        Assert.InRange(Spread.Of(job.Harmful.Zip(prompts, (ids, prompt) => (double)(ids.Length - prompt))).Median, 60, 80);
    }

    [Fact]
    public void The_products_cover_the_three_forms()
    {
        var jobs = Shape.Jobs("matmul", 1, "folder").ToArray();

        Assert.Equal(["NN", "NT", "TN"], jobs.Select(job => job.Job.Product!.Form).Distinct());
        Assert.Equal(jobs.Length, jobs.Select(job => job.Name).Distinct().Count());
    }

    private sealed class Side(List<string> calls, string name, double[] losses, double[] seconds) : ISide
    {
        private int steps;

        public long PeakBytes => 1;

        public StepResult Step()
        {
            calls.Add(name);
            int step = steps++;
            return step < losses.Length ? new StepResult(100, losses[step]) : new StepResult(seconds[step - losses.Length], 4);
        }
    }

    [Theory]
    [InlineData(8, 60, false)]
    [InlineData(9, 29, false)]
    [InlineData(9, 30, true)]
    [InlineData(3, 120, true)]
    [InlineData(500, 1, true)]
    public void Steps_are_taken_for_a_while_and_not_without_end(int steps, int seconds, bool isEnough) =>
        Assert.Equal(isEnough, Duel.IsEnough(steps, TimeSpan.FromSeconds(seconds)));
}
