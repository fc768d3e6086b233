using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>What an MMD plan accepts and refuses.</summary>
public sealed class MmdPlanTests : IDisposable
{
    private readonly Lab lab = new();

    public void Dispose() => lab.Dispose();

    [Fact]
    public void Entries_of_one_position_form_a_run()
    {
        using var plan = new MmdPlan(lab.Device, 3, 10);
        plan.Load([0, 2, 1, 0, 1, 2], [4, 4, 5, 9, 9, 9], [70, 80, 90]);
        Assert.Equal((6, 3, 3), (plan.RowCount, plan.PairCount, plan.RunCount));
        Assert.Equal([(0, 2), (2, 1), (3, 3)], Enumerable.Range(0, 3).Select(plan.Run));
        Assert.Equal([70, 80, 90], plan.PairIds.ToArray());
        Assert.Equal((6, 6, 3), (plan.DevicePairs.Count, plan.DevicePositions.Count, plan.DevicePairIds.Count));

        plan.Load([1], [0], [5, 6]);
        Assert.Equal((1, 2, 1), (plan.RowCount, plan.PairCount, plan.RunCount));
        plan.Load([], [], []);
        Assert.Equal((0, 0, 0), (plan.RowCount, plan.PairCount, plan.RunCount));
    }

    [Theory]
    [InlineData(new[] { 0, 1 }, new[] { 0 }, 2)]
    [InlineData(new[] { 0, 2 }, new[] { 0, 0 }, 2)]
    [InlineData(new[] { -1 }, new[] { 0 }, 2)]
    [InlineData(new[] { 0 }, new[] { -1 }, 2)]
    [InlineData(new[] { 1, 0 }, new[] { 3, 3 }, 2)]
    [InlineData(new[] { 0, 0 }, new[] { 3, 3 }, 2)]
    [InlineData(new[] { 0, 1 }, new[] { 3, 2 }, 2)]
    [InlineData(new[] { 0, 0, 0, 0 }, new[] { 0, 1, 2, 3 }, 2)]
    [InlineData(new[] { 0 }, new[] { 0 }, 3)]
    public void Entries_without_meaning_are_refused(int[] pairs, int[] positions, int pairCount)
    {
        using var plan = new MmdPlan(lab.Device, 2, 3);
        var error = Assert.Throws<ShapeException>(() => plan.Load(pairs, positions, new int[pairCount]));
        Assert.Equal(nameof(MmdPlan), error.Operation);
    }

    [Fact]
    public void Memory_is_given_back()
    {
        using var device = RepNoise.Kernels.Reference.ReferenceDevices.Create("reference:float32");
        var plan = new MmdPlan(device, 2, 3);
        Assert.Equal((3 + 3 + 2) * sizeof(int), device.AllocatedBytes);
        plan.Dispose();
        Assert.Equal(0, device.AllocatedBytes);
    }
}
