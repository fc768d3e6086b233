using CsCheck;
using RepNoise.Kernels.Reference;

namespace RepNoise.Kernels.Tests;

/// <summary>Names, formats and rounding of the reference devices.</summary>
public sealed class ReferenceDeviceTests
{
    [Theory]
    [InlineData("reference", "reference:float64", NumberFormat.Float64, NumberFormat.Float64)]
    [InlineData("reference:float64", "reference:float64", NumberFormat.Float64, NumberFormat.Float64)]
    [InlineData("reference:float32", "reference:float32", NumberFormat.Float32, NumberFormat.Float32)]
    [InlineData("reference:bfloat16", "reference:bfloat16", NumberFormat.BFloat16, NumberFormat.Float32)]
    public void Names_say_the_format(string asked, string name, NumberFormat compute, NumberFormat state)
    {
        using var device = ReferenceDevices.Create(asked);
        Assert.Equal(name, device.Name);
        Assert.Equal(compute, device.FormatOf(BufferKind.Compute));
        Assert.Equal(state, device.FormatOf(BufferKind.State));
        Assert.Equal(NumberFormat.Float64, device.FormatOf(BufferKind.Scalar));
        Assert.Equal(compute == state, device.SharesMasterWeights);
        Assert.Contains(asked, ReferenceDevices.Names);
    }

    [Fact]
    public void Unknown_name_is_refused_with_the_known_ones()
    {
        var error = Assert.Throws<DeviceException>(() => ReferenceDevices.Create("reference:float8"));
        Assert.Equal("reference:float8", error.DeviceName);
        Assert.Contains("reference:bfloat16", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1f, 1f)]
    [InlineData(-0f, -0f)]
    [InlineData(1.00390625f, 1f)] // 1 + 2^-8, a tie: to even
    [InlineData(1.01171875f, 1.015625f)] // 1 + 3 * 2^-8, a tie: to even
    [InlineData(1.00390637f, 1.0078125f)] // one float above the first tie
    [InlineData(3.4e38f, float.PositiveInfinity)]
    [InlineData(-3.4e38f, float.NegativeInfinity)]
    [InlineData(3.3895314e38f, 3.3895314e38f)] // the largest finite value
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(1e-45f, 0f)]
    public void BFloat16_rounds_to_nearest_even(float value, float expected) =>
        Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.SingleToInt32Bits(BFloat16Rounding.Round(value)));

    [Fact]
    public void BFloat16_keeps_every_NaN_a_NaN()
    {
        foreach (uint bits in new[] { 0x7F800001u, 0x7FC00000u, 0x7FFFFFFFu, 0xFF800001u, 0xFFFFFFFFu })
        {
            float rounded = BFloat16Rounding.Round(BitConverter.UInt32BitsToSingle(bits));
            Assert.True(float.IsNaN(rounded));
            Assert.Equal(0u, BitConverter.SingleToUInt32Bits(rounded) & 0xFFFF);
        }
    }

    [Fact]
    public void BFloat16_is_never_further_than_half_a_step() => Gen.Float.Where(float.IsFinite).Sample(value =>
    {
        double rounded = BFloat16Rounding.Round(value);
        uint bits = BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000;
        double below = BitConverter.UInt32BitsToSingle(bits), above = BitConverter.UInt32BitsToSingle(bits + 0x10000);
        Assert.True(rounded == below || rounded == above, "a neighbour");
        if (double.IsFinite(above)) Assert.True(Math.Abs(rounded - value) <= Math.Abs(above - below) / 2, "the nearer one");
    }, iter: 20_000, seed: "0000KJq0Fm82");

    [Fact]
    public void Compute_is_rounded_and_state_is_not()
    {
        using var device = ReferenceDevices.Create("reference:bfloat16");
        double[] value = [1 + Math.ScaleB(1, -10)];
        foreach (var (kind, expected) in new[] { (BufferKind.Compute, 1.0), (BufferKind.State, value[0]), (BufferKind.Scalar, value[0]) })
        {
            var tensor = device.AllocateTensor(kind, 1, 1, "test");
            device.Upload(value, tensor);
            var found = new double[1];
            device.Download(tensor, found);
            Assert.Equal(expected, found[0]);
        }
    }
}
