using RepNoise.Kernels.Reference;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>AdamW with weights and moments in bfloat16, rounded stochastically: the kernel against the plain loops.</summary>
public sealed class CudaStochasticRoundingTests
{
    private static readonly DeviceOptions Narrow = new() { StateFormat = NumberFormat.BFloat16 };

    /// <summary>Every sum, product, root and random bit is the same, so the results are too.</summary>
    [Theory]
    [InlineData(7, 64)]
    [InlineData(1, 1)]
    [InlineData(5, 123)]
    [InlineData(33, 257)]
    [InlineData(2, 5000)]
    public void Kernel_and_loops_give_the_same_bits(int rows, int columns)
    {
        using var reference = ReferenceDevices.Create("reference:bfloat16", narrowParameters: true);
        using var device = CudaTestDevices.BFloat16(Narrow);
        var rounding = new StochasticRounding(0x1234_5678_9ABC, 5);
        double[][] expected = Run(reference, rows, columns, rounding), found = Run(device, rows, columns, rounding);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i]);
    }

    [Fact]
    public void Seed_and_tensor_choose_the_bits()
    {
        using var device = CudaTestDevices.BFloat16(Narrow);
        double[] first = Run(device, 9, 65, new StochasticRounding(1, 0))[0];
        Assert.Equal(first, Run(device, 9, 65, new StochasticRounding(1, 0))[0]);
        Assert.NotEqual(first, Run(device, 9, 65, new StochasticRounding(2, 0))[0]);
        Assert.NotEqual(first, Run(device, 9, 65, new StochasticRounding(1, 1))[0]);
        Assert.NotEqual(first, Run(device, 9, 65, rounding: null)[0]);
    }

    /// <summary>
    /// Steps of 1e-4 from 1, where bfloat16 values are 2^-8 apart below: to nearest none of them moves a weight, stochastically the
    /// mean of many weights moves as far as it should.
    /// </summary>
    [Fact]
    public void Small_steps_add_up()
    {
        const int Columns = 4096, Steps = 20;
        const double Rate = 1e-4;
        using var device = CudaTestDevices.BFloat16(Narrow);
        double Mean(bool isStochastic)
        {
            Tensor New(double value)
            {
                var tensor = device.AllocateTensor(device.ParameterKind, 1, Columns, "test");
                device.Fill(tensor, value);
                return tensor;
            }

            Tensor master = New(1), gradient = New(1), m = New(0), v = New(0);
            var factor = device.AllocateTensor(BufferKind.Scalar, 1, 1, "test");
            device.Fill(factor, 1);
            for (int t = 1; t <= Steps; t++)
                device.AdamW(master, default, gradient, m, v, new AdamWStep(Rate, 0.9, 0.999, 1e-8, 0, true, t, isStochastic ? new(3, 0) : null), factor);
            double mean = Get(device, master).Average();
            foreach (var tensor in (Tensor[])[master, gradient, m, v, factor]) tensor.Buffer.Dispose();
            return mean;
        }

        Assert.Equal(1, Mean(isStochastic: false));
        // A constant gradient makes every step Rate; each rounding's deviation is at most half a unit, 2^-9.
        double deviation = Math.Sqrt((double)Steps / Columns) / 512;
        Assert.InRange(Mean(isStochastic: true), 1 - Steps * Rate - 4 * deviation, 1 - Steps * Rate + 4 * deviation);
    }

    [Fact]
    public void Wider_formats_refuse_it()
    {
        using var device = CudaTestDevices.BFloat16();
        Assert.Contains("bfloat16, or rounding to nearest", Assert.Throws<ShapeException>(() => Run(device, 1, 8, new StochasticRounding(1, 0))).Message, StringComparison.Ordinal);
    }

    /// <summary>Weight, m and v after three steps.</summary>
    private static double[][] Run(Device device, int rows, int columns, StochasticRounding? rounding)
    {
        Tensor Put(ulong stream, double scale, bool isSquare = false)
        {
            var tensor = device.AllocateTensor(device.ParameterKind, rows, columns, "test");
            device.Upload([.. Lab.Gaussians(rows * columns, stream).Select(value => isSquare ? scale * value * value : scale * value)], tensor);
            return tensor;
        }

        Tensor master = Put(1, 1), gradient = Put(2, 1), m = Put(3, 0.1), v = Put(4, 0.01, isSquare: true);
        var factor = device.AllocateTensor(BufferKind.Scalar, 1, 1, "test");
        device.Fill(factor, 0.4);
        for (int t = 1; t <= 3; t++)
            device.AdamW(master, default, gradient, m, v, new AdamWStep(1e-2, 0.9, 0.999, 1e-8, 0.05, true, t, rounding), factor);
        double[][] results = [Get(device, master), Get(device, m), Get(device, v)];
        foreach (var tensor in (Tensor[])[master, gradient, m, v, factor]) tensor.Buffer.Dispose();
        return results;
    }

    private static double[] Get(Device device, Tensor tensor)
    {
        var values = new double[tensor.Length];
        device.Download(tensor, values);
        return values;
    }
}
