using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of allocation, upload and download.</summary>
public abstract class TransferConformance : Conformance
{
    private static readonly double[] Odd =
        [double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, 1e-40, 1.00390625, 1.01171875, 3.3e38, 1 + 1e-7, Math.PI];

    [Theory]
    [InlineData(BufferKind.Compute)]
    [InlineData(BufferKind.State)]
    [InlineData(BufferKind.Scalar)]
    public void Memory_starts_at_zero_and_is_counted(BufferKind kind) => WithDevice(device =>
    {
        long own = device.AllocatedBytes; // scratch that a device takes when it is made
        var first = device.AllocateTensor(kind, 5, 123, "test");
        device.Fill(first, 3);
        long bytes = first.Buffer.Bytes;
        Assert.Equal(5 * 123 * device.FormatOf(kind).Size(), bytes);
        long taken = device.AllocationSize(bytes);
        Assert.InRange(taken, bytes, bytes + 4096);
        Assert.Equal(own + taken, device.AllocatedBytes);
        Assert.Equal(taken, device.Memory["test"]);
        first.Buffer.Dispose();
        first.Buffer.Dispose();
        Assert.Equal(own, device.AllocatedBytes);
        Assert.Equal(own + taken, device.PeakAllocatedBytes);
        Assert.Equal(taken, device.Memory.AtPeak["test"]);

        var again = device.AllocateTensor(kind, 5, 123, "test");
        var values = new double[5 * 123];
        device.Download(again, values);
        Assert.All(values, value => Assert.Equal(0, value));
        again.Buffer.Dispose();
    });

    [Theory]
    [InlineData(BufferKind.Compute)]
    [InlineData(BufferKind.State)]
    [InlineData(BufferKind.Scalar)]
    public void Doubles_are_rounded_to_the_format(BufferKind kind) => Exactly(1101, bench =>
    {
        bench.Device.Upload(bench.Gaussians(5 * 123), bench.Written("target", kind, 5, 123));
        bench.Device.Upload(Odd, bench.Written("odd", kind, 2, 5));
        bench.Device.Upload(ReadOnlySpan<double>.Empty, bench.Written("none", kind, 0, 5));
    });

    [Theory]
    [InlineData(BufferKind.Compute)]
    [InlineData(BufferKind.State)]
    [InlineData(BufferKind.Scalar)]
    public void Floats_are_rounded_to_the_format(BufferKind kind) => Exactly(1102, bench =>
    {
        float[] values = [.. bench.Gaussians(5 * 123).Select(v => (float)v)];
        bench.Device.Upload(values, bench.Written("target", kind, 5, 123));
        bench.Device.Upload([.. Odd.Select(v => (float)v)], bench.Written("odd", kind, 2, 5));
    });

    [Theory]
    [InlineData(BufferKind.Compute)]
    [InlineData(BufferKind.State)]
    [InlineData(BufferKind.Scalar)]
    public void Views_are_downloaded_row_by_row(BufferKind kind) => WithDevice(device =>
    {
        var whole = device.AllocateTensor(kind, 9, 16, "test");
        device.Upload([.. Enumerable.Range(0, 9 * 16).Select(i => (float)i)], whole);
        var view = whole.RowRange(2, 5).ColumnRange(3, 7);
        var floats = new float[35];
        var doubles = new double[35];
        device.Download(view, floats);
        device.Download(view, doubles);
        double[] expected = [.. Enumerable.Range(0, 35).Select(i => (double)((2 + i / 7) * 16 + 3 + i % 7))];
        Assert.Equal(expected, doubles);
        Assert.Equal(expected, floats.Select(value => (double)value));
        whole.Buffer.Dispose();
    });

    [Fact]
    public void Lengths_that_do_not_fit_are_refused() => WithDevice(device =>
    {
        var tensor = device.AllocateTensor(BufferKind.State, 2, 3, "test");
        Assert.Throws<ShapeException>(() => device.Upload(new float[5], tensor));
        Assert.Throws<ShapeException>(() => device.Upload(new double[7], tensor));
        Assert.Throws<ShapeException>(() => device.Download(tensor, new float[5]));
        Assert.Throws<ShapeException>(() => device.Download(tensor, new double[7]));
        Assert.Throws<ShapeException>(() => device.Allocate(BufferKind.State, -1, "test"));
        tensor.Buffer.Dispose();
    });

    [Fact]
    public void Memory_beyond_the_machine_is_refused() => WithDevice(device =>
    {
        long own = device.AllocatedBytes;
        var error = Assert.Throws<DeviceException>(() => device.Allocate(BufferKind.State, long.MaxValue / 16, "weights"));
        Assert.Contains("weights", error.Message, StringComparison.Ordinal);
        Assert.Equal(own, device.AllocatedBytes);
    });

    [Fact]
    public void The_device_describes_itself() => WithDevice(device =>
    {
        Assert.NotEmpty(device.Name);
        Assert.NotEmpty(device.Description);
        Assert.Equal(NumberFormat.Int32, device.FormatOf(BufferKind.Index));
        Assert.NotEqual(NumberFormat.BFloat16, device.FormatOf(BufferKind.State));
        Assert.Equal(device.FormatOf(BufferKind.Compute) == device.FormatOf(BufferKind.State), device.SharesMasterWeights);
    });
}
