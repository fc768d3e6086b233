using RepNoise.Examples;

namespace RepNoise.Kernels.Tests;

/// <summary>The documented example compiles (it is part of this project), fits its promise and does what its page says.</summary>
public sealed class CustomLossTests
{
    [Theory]
    [InlineData("cpu")]
    [InlineData("reference:float64")]
    [InlineData("reference:float32")]
    [InlineData("reference:bfloat16")]
    public void The_example_trains_on_every_device(string name)
    {
        using var device = Devices.Create(name);
        double[] losses = CustomLossExample.Run(device, steps: 80);
        Assert.Equal(9, losses[0], name.EndsWith("bfloat16", StringComparison.Ordinal) ? 1 : 4); // weights start at zero: |c u|^2
        Assert.True(losses[^1] < 0.05 * losses[0], $"the loss went from {losses[0]} to {losses[^1]}");
    }
}
