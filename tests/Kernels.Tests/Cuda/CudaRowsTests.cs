using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Rows turned by their positions, and rows by number, to the bit: what the host computes in the same order.</summary>
public sealed class CudaRowsTests
{
    private readonly Random random = new(7);

    /// <summary>However many heads a block turns at once, each value is the formula's, every operation rounded.</summary>
    [Theory]
    [InlineData(1, 1, 128)]
    [InlineData(3, 19, 128)]
    [InlineData(2, 40, 64)]
    [InlineData(2, 27, 80)]
    [InlineData(2, 31, 18)]
    [InlineData(2, 3, 528)]
    public void Heads_turn_as_the_formula_says(int rows, int heads, int headSize)
    {
        const int Positions = 5;
        int half = headSize / 2;
        using var device = CudaTestDevices.Float32();
        float[] values = Values(rows * heads * headSize), cos = Values(Positions * half), sin = Values(Positions * half);
        Tensor x = New(device, BufferKind.Compute, rows, heads * headSize, values);
        Tensor cosines = New(device, BufferKind.State, Positions, half, cos), sines = New(device, BufferKind.State, Positions, half, sin);
        int[] positions = [.. Enumerable.Range(0, rows).Select(r => (3 * r + 2) % Positions)];
        device.Rotary(x, cosines, sines, Numbers(device, positions), inverse: false);
        for (int r = 0; r < rows; r++)
        {
            for (int i = 0; i < heads * half; i++)
            {
                int angle = positions[r] * half + i % half, first = (r * heads + i / half) * headSize + i % half, second = first + half;
                float a = values[first], b = values[second], c = cos[angle], s = sin[angle];
                (values[first], values[second]) = (a * c - b * s, b * c + a * s);
            }
        }

        Assert.Equal(values, Read(x));
    }

    private float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];

    private static Tensor New(Device device, BufferKind kind, int rows, int columns, float[] values)
    {
        var tensor = device.AllocateTensor(kind, rows, columns, "test");
        device.Upload(values, tensor);
        return tensor;
    }

    private static Indices Numbers(Device device, int[] values)
    {
        var numbers = device.AllocateIndices(values.Length, "test");
        device.Upload(values, numbers);
        return numbers;
    }

    private static float[] Read(Tensor tensor)
    {
        float[] values = new float[tensor.Length];
        tensor.Buffer.Device.Download(tensor, values);
        return values;
    }
}
