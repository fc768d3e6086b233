using RepNoise.Host.Profiling;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Profiling;

/// <summary>Sums over events whose times are made up.</summary>
public sealed class ProfileTests
{
    private static readonly DeviceLimits Limits = new(Gflops: 1, GigabytesPerSecond: 1);

    /// <summary>
    /// A step of 100 ticks: data 2 to 10; forward 10 to 60 with layer 0 (12 to 40: a product of 15, then noise of 8 with an operation of
    /// 5) and an operation of 6 outside layers; optimizer 70 to 95 with an operation of 20.
    /// </summary>
    private static readonly ProfileEvent[] Step =
    [
        Scope("step", 1, -1, 0, 100),
        Scope("micro_batch", 0, 0, 1, 65),
        Scope("data", -1, 1, 2, 10),
        Scope("forward", -1, 1, 10, 60),
        Scope("layer", 0, 3, 12, 40),
        Operation("Matmul", 4, 14, 29, 3e-6),
        Scope("noise", -1, 4, 30, 38),
        Operation("Mmd", 6, 32, 37, 1e-6),
        Operation("Norm", 3, 50, 56, 0),
        Scope("optimizer", -1, 0, 70, 95),
        Operation("AdamW", 9, 72, 92, 2e-6),
    ];

    [Fact]
    public void Rows_of_every_table_add_up_to_the_total()
    {
        var profile = Profile.Of(Step, [], Limits);
        Assert.Equal(100, profile.Total.Ticks);
        Assert.Equal([100L], profile.StepTicks);
        Assert.Equal(100, profile.Operations.Sum(row => row.Sum.Ticks) + profile.OutsideOperations.Ticks);
        Assert.Equal(100, profile.Phases.Where(phase => phase.Depth == 0).Sum(phase => phase.Sum.Ticks) + profile.OutsidePhases.Ticks);
        Assert.Equal(100, profile.Layers.Values.Append(profile.OutsideLayers).Sum(layer => layer.Values.Sum(sum => sum.Ticks)));
        Assert.Equal(profile.Total.Cost.Flops, profile.Operations.Sum(row => row.Sum.Cost.Flops), 12);
    }

    [Fact]
    public void Operations_come_longest_first_with_their_own_time()
    {
        var profile = Profile.Of(Step, [], Limits);
        Assert.Equal([("AdamW", 20L), ("Matmul", 15L), ("Norm", 6L), ("Mmd", 5L)], profile.Operations.Select(row => (row.Name, row.Sum.Ticks)));
    }

    [Fact]
    public void An_operation_within_an_operation_is_not_counted_twice()
    {
        var profile = Profile.Of([Scope("step", 1, -1, 0, 10), Operation("Outer", 0, 1, 9, 0), Operation("Inner", 1, 2, 5, 0)], [], null);
        Assert.Equal([("Outer", 5L), ("Inner", 3L)], profile.Operations.Select(row => (row.Name, row.Sum.Ticks)));
        Assert.Equal(2, profile.OutsideOperations.Ticks);
        Assert.Null(profile.Operations[0].Sum.Roofline);
    }

    [Fact]
    public void Phases_nest_and_layers_take_what_belongs_to_them()
    {
        var profile = Profile.Of(Step, [], Limits);
        Assert.Equal(
            [("data", 8L), ("forward", 50L), ("forward/noise", 8L), ("optimizer", 25L)], profile.Phases.Select(phase => (phase.Path, phase.Sum.Ticks)));
        Assert.Equal(28, profile.Layers[0]["forward"].Ticks);
        Assert.Equal(22, profile.OutsideLayers["forward"].Ticks);
        Assert.Equal(4e-6, profile.Phases[1].Sum.Cost.Flops, 12);
        Assert.Equal(1e-6, profile.Phases[2].Sum.Cost.Flops, 12);
    }

    [Fact]
    public void The_roofline_is_least_time_over_time()
    {
        // One FLOP takes a nanosecond at these limits.
        double tick = 1.0 / System.Diagnostics.Stopwatch.Frequency;
        var profile = Profile.Of([Scope("step", 1, -1, 0, 10), Operation("Matmul", 0, 0, 10, 5 * tick * 1e9)], [], Limits);
        Assert.Equal(0.5, profile.Operations[0].Sum.Roofline!.Value, 6);
        Assert.Equal(0.5, profile.Total.Roofline!.Value, 6);
        Assert.Equal(0.5, profile.Total.Gflops, 6);
    }

    [Fact]
    public void Busy_is_the_share_of_all_threads_time_in_which_they_worked()
    {
        WorkSpan[] work = [new(5, 0, 14, 29), new(5, 1, 20, 26), new(10, 0, 72, 92)];
        var profile = Profile.Of(Step, work, Limits);
        Assert.Equal(2, profile.Threads);
        Assert.Equal([("AdamW", 0.5), ("Matmul", 0.7)], profile.Operations.Take(2).Select(row => (row.Name, profile.Busy(row.Sum)!.Value)));
        Assert.Equal(0.0, profile.Busy(profile.Operations[2].Sum));
        Assert.Equal(41.0 / 200, profile.Busy(profile.Total)!.Value, 12);
        Assert.Null(Profile.Of(Step, [], Limits).Busy(profile.Total));
    }

    [Fact]
    public void Bytes_that_are_moved_and_missed_add_up()
    {
        ProfileEvent[] events = [.. Step];
        (events[5].Moved, events[5].Missed) = (100, 64);
        (events[10].Moved, events[10].Missed) = (50, 128);
        var profile = Profile.Of(events, [], Limits);
        Assert.Equal((150.0, 192L), (profile.Total.Moved, profile.Total.Missed));
        Assert.Equal([(50.0, 128L), (100.0, 64L)], profile.Operations.Take(2).Select(row => (row.Sum.Moved, row.Sum.Missed)));
        Assert.Equal(100, profile.Layers[0]["forward"].Moved);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.5, 2.5)]
    [InlineData(1, 4)]
    public void Quantiles_interpolate(double share, double expected) =>
        Assert.Equal(expected / System.Diagnostics.Stopwatch.Frequency, ProfileTables.Quantile([4, 1, 3, 2], share), 12);

    private static ProfileEvent Scope(string name, int index, int parent, long begin, long end) =>
        new() { Name = name, Index = index, Parent = parent, Begin = begin, End = end };

    private static ProfileEvent Operation(string name, int parent, long begin, long end, double flops) =>
        new() { Name = name, Index = -1, Parent = parent, Begin = begin, End = end, IsOperation = true, Cost = new OpCost(flops, 0) };
}
