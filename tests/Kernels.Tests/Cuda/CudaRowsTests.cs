using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Rows turned by their positions, and rows by number, to the bit: what the host computes in the same order.</summary>
public sealed class CudaRowsTests
{
    private readonly Random random = new(7);

    [Fact]
    public void More_pairs_than_a_grid_counts_are_refused_before_memory_is_taken()
    {
        using var device = CudaTestDevices.BFloat16();
        var refusal = Assert.Throws<DeviceException>(() => new MmdPlan(device, 2897, 3000));
        Assert.Contains("2897 pairs in one batch, where the noise term takes 2896 at most", refusal.Message, StringComparison.Ordinal);
    }

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

    /// <summary>
    /// How often numbers repeat decides how a scatter is divided; each row has its sum in the order of its terms, each a fused multiply-add. Columns on both sides of a warp's and a block's.
    /// </summary>
    [Theory]
    [InlineData(1, 5, 8)]
    [InlineData(1, 1, 1)]
    [InlineData(50, 50, 13)]
    [InlineData(64, 64, 264)]
    [InlineData(90, 7, 33)]
    [InlineData(100, 1, 24)]
    [InlineData(33, 1, 2056)]
    [InlineData(66, 2, 2048)]
    public void Rows_add_up_in_their_order(int rows, int different, int columns)
    {
        const int TableRows = 101;
        using var device = CudaTestDevices.Float32();
        float[] values = Values(rows * columns), table = Values(TableRows * columns);
        Tensor x = New(device, BufferKind.Compute, rows, columns, values), sums = New(device, BufferKind.State, TableRows, columns, table);
        int[] numbers = [.. Enumerable.Range(0, rows).Select(r => (r * r + 2 * r) % different * 37 % TableRows)];
        device.ScatterAddRows(sums, x, Numbers(device, numbers), 0.3);
        Add(table, values, numbers, columns, 0.3f);
        Assert.Equal(table, Read(sums));
    }

    /// <summary>Numbers of one buffer that change: other ones, fewer, a part of them, a part that was uploaded apart.</summary>
    [Fact]
    public void Runs_are_those_of_the_numbers_that_are_there()
    {
        const int TableRows = 6, Columns = 16, Most = 40;
        using var device = CudaTestDevices.Float32();
        float[] values = Values(Most * Columns), table = new float[TableRows * Columns];
        Tensor x = New(device, BufferKind.Compute, Most, Columns, values), sums = New(device, BufferKind.State, TableRows, Columns, table);
        var all = device.AllocateIndices(Most, "test");
        int[] numbers = new int[Most];
        foreach (var (from, count) in ((int, int)[])[(0, 40), (0, 40), (0, 7), (10, 20)])
        {
            Change(from, count);
            Scatter(from, count);
        }

        Scatter(12, 9);
        Scatter(0, 40);
        Change(0, 20);
        Change(20, 20);
        Scatter(0, 40);
        Scatter(0, 0);
        device.ScatterAddRows(sums, x, all);
        Add(table, values, numbers, Columns, 1);
        Assert.Equal(table, Read(sums));
        long with = device.AllocatedBytes;
        all.Buffer.Dispose();
        // The numbers, and beside them two words for each run, one of them the end, and the order.
        Assert.Equal((Most + (2 * (Most + 1)) + Most) * sizeof(int), with - device.AllocatedBytes);

        void Change(int from, int count)
        {
            for (int r = from; r < from + count; r++) numbers[r] = random.Next(TableRows);
            device.Upload(numbers.AsSpan(from, count), all.Range(from, count));
        }

        void Scatter(int from, int count)
        {
            device.ScatterAddRows(sums, x.RowRange(from, count), all.Range(from, count));
            Add(table, values.AsSpan(from * Columns, count * Columns), numbers.AsSpan(from, count), Columns, 1);
        }
    }

    private static void Add(float[] table, ReadOnlySpan<float> values, ReadOnlySpan<int> numbers, int columns, float factor)
    {
        for (int r = 0; r < numbers.Length; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                ref float sum = ref table[(numbers[r] * columns) + c];
                sum = MathF.FusedMultiplyAdd(factor, values[(r * columns) + c], sum);
            }
        }
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
