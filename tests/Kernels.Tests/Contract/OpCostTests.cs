using RepNoise.Kernels.Reference;

namespace RepNoise.Kernels.Tests;

/// <summary>Costs counted by hand for small shapes, fp32.</summary>
public sealed class OpCostTests
{
    [Fact]
    public void Matmul() => Assert.Equal(new OpCost(2 * 2 * 3 * 5, (2 * 5 + 5 * 3 + 2 * 3) * 4), Device.MatmulCost(2, 3, 5, 4));

    [Fact]
    public void Matmul_of_many_rows_does_not_overflow() =>
        Assert.Equal(2e15, Device.MatmulCost(100_000, 100_000, 100_000, 2).Flops);

    /// <summary>Two products of HS multiply-adds for each pair and head; q, output, k and v cross memory once.</summary>
    [Fact]
    public void Attention_forward() => Assert.Equal(
        new OpCost(10 * 6 * 2 * (2 * 8), ((4 + 4) * 6 * 8 + (5 + 5) * 2 * 8) * 4),
        Device.AttentionForwardCost(10, 4, 5, new AttentionShape(6, 2, 8, null), 4));

    /// <summary>Five products: scores again, dP, dQ, dK, dV.</summary>
    [Fact]
    public void Attention_backward() => Assert.Equal(
        10 * 6 * 5 * (2.0 * 8), Device.AttentionBackwardCost(10, 4, 5, new AttentionShape(6, 2, 8, null), 4).Flops);

    [Fact]
    public void Gather_moves_and_scatter_adds()
    {
        Assert.Equal(new OpCost(0, 2 * 3 * 4 * 2), Device.GatherRowsCost(3, 4, 2));
        Assert.Equal(new OpCost(2 * 3 * 4, 3 * 3 * 4 * 2), Device.ScatterAddRowsCost(3, 4, 2));
    }

    /// <summary>An addition of two matrices and a norm of the sum, but the sum is read from memory only once.</summary>
    [Fact]
    public void Norm_of_a_sum_reads_two_and_writes_two() => Assert.Equal(
        new OpCost(7 * 64 + Device.RmsNormForwardCost(7, 64, 2).Flops, 4 * 7 * 64 * 2), Device.AddRmsNormForwardCost(7, 64, 2));

    [Fact]
    public void AdamW_reads_four_and_writes_three() => Assert.Equal(7 * 10 * 4, Device.AdamWCost(10, 4).Bytes);

    [Fact]
    public void Cross_entropy_with_gradients_multiplies_three_times()
    {
        var losses = Device.LinearCrossEntropyCost(7, 16, 100, dX: false, dWeight: false, 4);
        var all = Device.LinearCrossEntropyCost(7, 16, 100, dX: true, dWeight: true, 4);
        Assert.Equal(2 * (2.0 * 7 * 16 * 100), all.Flops - losses.Flops);
        Assert.Equal((2 * 100 * 16 + 7 * 16) * 4, all.Bytes - losses.Bytes);
    }

    [Fact]
    public void Streaming_operations_are_bound_by_memory()
    {
        OpCost[] costs =
        [
            Device.RmsNormForwardCost(7, 64, 4), Device.AddRmsNormForwardCost(7, 64, 4), Device.RmsNormBackwardCost(7, 64, 4),
            Device.RotaryCost(7, 64, 4), Device.SwigluForwardCost(448, 4),
            Device.SwigluBackwardCost(448, 4), Device.AddScaledCost(448, 4), Device.SquaredNormCost(448, 4), Device.AdamWCost(448, 4),
        ];
        Assert.All(costs, cost => Assert.InRange(cost.Intensity, 0.1, 1));
    }

    /// <summary>Every pair of rows of one position, x or noise, costs a subtraction and a multiply-add for each channel.</summary>
    [Fact]
    public void Mmd_grows_with_pairs()
    {
        var one = Device.MmdGaussianForwardCost(12, 64, 2, 4);
        Assert.Equal(2 * one.Flops, Device.MmdGaussianForwardCost(12, 64, 4, 4).Flops);
        Assert.Equal(2 * one.Flops, Device.MmdGaussianForwardCost(24, 64, 2, 4).Flops);
        Assert.Equal(2 * 12 * 64 * 4, Device.MmdGaussianBackwardCost(12, 64, 2, 4).Bytes);
    }

    [Fact]
    public void Costs_add_and_scale()
    {
        var sum = new OpCost(3, 4) + new OpCost(5, 6) * 2;
        Assert.Equal(new OpCost(13, 16), sum);
        Assert.Equal(sum, OpCost.Add(new OpCost(3, 4), OpCost.Multiply(new OpCost(5, 6), 2)));
        Assert.Equal(0, new OpCost(1, 0).Intensity);
    }

    [Theory]
    [InlineData("reference:float32", 1000, 256)]
    [InlineData("reference:float32", 128_256, 130)]
    [InlineData("reference:bfloat16", 128_256, 256)]
    [InlineData("reference:float64", 128_256, 65)]
    [InlineData("reference:float32", 100_000_000, 1)]
    public void Logits_workspace_is_bounded(string device, int vocabulary, int rows)
    {
        using var subject = ReferenceDevices.Create(device);
        Assert.Equal(rows, subject.LogitsChunkRows(vocabulary));
    }

    [Theory]
    [InlineData(1000, 256)]
    [InlineData(32_000, 512)]
    [InlineData(128_256, 130)]
    public void Logits_of_a_large_vocabulary_come_in_longer_chunks_on_the_cpu_and_in_its_plan(int vocabulary, int rows)
    {
        using var cpu = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        using var plan = cpu.CreatePlanningDevice();
        Assert.Equal(rows, cpu.LogitsChunkRows(vocabulary));
        Assert.Equal(rows, plan.LogitsChunkRows(vocabulary));
    }
}
