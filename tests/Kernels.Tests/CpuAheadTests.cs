using RepNoise.Kernels.Cpu;

namespace RepNoise.Kernels.Tests;

/// <summary>What the CPU's tiles fetch for those after them, and stores past the caches: neither may show in a result.</summary>
public sealed unsafe class CpuAheadTests
{
    [Theory]
    [InlineData(48, 48, 20, 256)]
    [InlineData(32, 32, 512, 512)]
    [InlineData(1000, 1000, 7, 40)]
    [InlineData(1024, 256, 33, 256)]
    [InlineData(700, 200, 513, 64)]
    [InlineData(32000, 32, 512, 512)]
    [InlineData(90, 30, 3, 3)]
    public void Tiles_fetch_every_line_of_what_is_next_once(int stride, int length, int rows, int k)
    {
        float* start = (float*)(1L << 30); // never read
        var next = new Upcoming(start, stride, rows, length);
        var fetched = new HashSet<long>();
        int fetches = 0;
        for (int tile = 0; tile < next.Tiles(k); tile++)
        {
            var ahead = next.For(tile, k);
            for (int step = 0; step < Math.Max(1, k / Ahead.Steps); step++, ahead.At += ahead.Step, fetches++) fetched.Add(ahead.At - start);
        }

        for (int row = 0; row < rows; row++)
        {
            long first = (long)row * stride;
            for (long i = first; i < first + length; i++) Assert.Contains(stride == length ? i / 16 * 16 : first + (i - first) / 16 * 16, fetched);
        }

        Assert.Equal(fetches, fetched.Count);
        Assert.True(next.For(next.Tiles(k), k).At is null);
        Assert.Equal(0, default(Upcoming).Tiles(k));
    }

    /// <summary>A chunk of many exponentials streams them past the caches, all but those of a narrow last block.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Exponentials_past_the_caches_have_the_bits_of_those_within(int threads)
    {
        const int Rows = 320, Columns = 24, Vocabulary = 16384 + 40;
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = threads });
        var random = new Random(3);
        float[] x = Values(Rows * Columns), weight = Values(Vocabulary * Columns);
        int[] targets = [.. Enumerable.Range(0, Rows).Select(_ => random.Next(Vocabulary))];
        var (streamedLosses, streamedDX, streamedDWeight) = Run(chunk: Rows);
        var (losses, dX, dWeight) = Run(chunk: 16);
        Assert.Equal(losses, streamedLosses);
        Assert.Equal(dX, streamedDX);
        Assert.Equal(0, dWeight.Zip(streamedDWeight, (a, b) => Math.Abs(a - b)).Max(), 1e-6f);

        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];

        (float[] Losses, float[] DX, float[] DWeight) Run(int chunk)
        {
            Tensor New(BufferKind kind, int rows, int columns) => device.AllocateTensor(kind, rows, columns, "test");
            Tensor rows = New(BufferKind.Compute, Rows, Columns), head = New(BufferKind.Compute, Vocabulary, Columns);
            device.Upload(x, rows);
            device.Upload(weight, head);
            var ids = device.AllocateIndices(Rows, "targets");
            device.Upload(targets, ids);
            Tensor loss = New(BufferKind.State, 1, Rows), dRows = New(BufferKind.Compute, Rows, Columns), dHead = New(BufferKind.State, Vocabulary, Columns);
            device.Fill(dHead, 0);
            device.LinearCrossEntropy(loss, rows, head, ids, 1.0 / Rows, dRows, dHead, New(BufferKind.Compute, chunk, Vocabulary));
            return (Read(loss), Read(dRows), Read(dHead));
        }

        float[] Read(Tensor tensor)
        {
            float[] values = new float[(long)tensor.Rows * tensor.Columns];
            device.Download(tensor, values);
            return values;
        }
    }
}
