using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Stretches of operations as CUDA graphs: what is captured, updated, made anew, and what interrupts a capture.</summary>
public sealed class CudaGraphTests : IDisposable
{
    private const int Columns = 40;
    private const string Stretch = "stretch";

    private readonly CudaDevice device = (CudaDevice)CudaTestDevices.Float32(new DeviceOptions { CudaGraphs = true });
    private readonly Tensor sum;
    private readonly Tensor one;

    public CudaGraphTests()
    {
        (sum, one) = (device.AllocateTensor(BufferKind.State, 1, Columns, "test"), device.AllocateTensor(BufferKind.State, 1, Columns, "test"));
        device.Fill(one, 1);
    }

    public void Dispose()
    {
        foreach (var tensor in (Tensor[])[sum, one]) tensor.Buffer.Dispose();
        device.Dispose();
    }

    [Fact]
    public void The_first_stretch_of_a_name_is_queued_directly_the_second_instantiated_later_ones_updated()
    {
        for (int i = 1; i <= 4; i++) Add(1, 10 * i);
        Assert.Equal(new CaptureCounts(Launched: 3, Instantiated: 1, Interrupted: 0), device.Captures);
        Assert.Equal(4 + 10 + 20 + 30 + 40, Sum());
        Assert.Contains("CUDA graphs", device.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_have_graphs_of_their_own_and_inner_stretches_none()
    {
        for (int i = 0; i < 3; i++)
        {
            Add(1);
            using var outer = device.Capture("outer");
            device.AddScaled(sum, one, 10);
            Add(100);
            device.AddScaled(sum, one, 1000);
        }

        Assert.Equal(new CaptureCounts(4, 2, 0), device.Captures);
        Assert.Equal(3333, Sum());
    }

    [Fact]
    public void Another_number_of_kernels_is_another_graph_and_the_last_eight_are_kept()
    {
        Warm();
        for (int turn = 0; turn < 2; turn++)
        {
            for (int kernels = 1; kernels <= 8; kernels++) Add([.. Enumerable.Repeat(1.0, kernels)]);
        }

        Assert.Equal(new CaptureCounts(16, 8, 0), device.Captures);
        Add([.. Enumerable.Repeat(1.0, 9)]); // takes the place of the one with a single kernel
        Add(1, 1);
        Add(1);
        Assert.Equal(new CaptureCounts(19, 10, 0), device.Captures);
        Assert.Equal(2 * 36 + 9 + 2 + 1, Sum());
    }

    /// <summary>Which a GPU's driver may take as an update; the result is the same.</summary>
    [Fact]
    public void Another_kernel_in_a_ones_place_is_run()
    {
        Warm();
        Add(5);
        using (device.Capture(Stretch)) device.Fill(sum, 7);
        Assert.Equal(2, device.Captures!.Value.Launched);
        Assert.Equal(7, Sum());
    }

    [Fact]
    public void Nothing_is_launched_of_an_empty_stretch()
    {
        Warm();
        device.Capture(Stretch).Dispose();
        Assert.Equal(default(CaptureCounts), device.Captures);
    }

    /// <summary>What no graph could hold is done between what was captured before it and the rest.</summary>
    [Theory]
    [InlineData("upload")]
    [InlineData("download")]
    [InlineData("synchronize")]
    [InlineData("allocate")]
    [InlineData("release")]
    [InlineData("kernel")]
    [InlineData("scratch")]
    public void What_cannot_be_captured_interrupts(string what)
    {
        Warm();
        using var product = new Product(device, depth: 8);
        var other = device.AllocateTensor(BufferKind.State, 1, Columns, "test");
        var values = new double[Columns];
        using (device.Capture(Stretch))
        {
            device.AddScaled(sum, one, 2);
            switch (what)
            {
                case "upload": device.Upload(Enumerable.Repeat(3.0, Columns).ToArray(), sum); break;
                case "download": device.Download(sum, values); break;
                case "synchronize": device.Synchronize(); break;
                case "allocate": device.AllocateTensor(BufferKind.State, 1, Columns, "test").Buffer.Dispose(); break;
                case "release": other.Buffer.Dispose(); break;
                case "kernel": product.Run(); break;
                default: device.Context.Scratch(1 << 20); break;
            }

            device.AddScaled(sum, one, 4);
        }

        Assert.Equal(new CaptureCounts(1, 1, 1), device.Captures);
        Assert.Equal(what == "upload" ? 7 : 6, Sum());
        if (what == "download") Assert.All(values, value => Assert.Equal(2, value));
        Add(1);
        Assert.Equal(new CaptureCounts(2, 1, 1), device.Captures);
        other.Buffer.Dispose();
    }

    /// <summary>A product in parts: two kernels, and scratch memory that the first of them takes.</summary>
    [Fact]
    public void Operations_of_several_kernels_give_the_bits_that_they_give_directly()
    {
        using var x = new Product(device, depth: 2048);
        x.Run();
        float[] direct = x.Read();
        int kernels = 0;
        device.Context.Launched = _ => kernels++;
        for (int i = 0; i < 3; i++)
        {
            device.Fill(x.C, 0);
            kernels = 0;
            using (device.Capture(Stretch)) x.Run();
            Assert.Equal(2, kernels);
            Assert.Equal(direct, x.Read());
        }

        Assert.Equal(new CaptureCounts(2, 1, 0), device.Captures);
        Assert.NotEqual(0, direct[5]);
    }

    /// <summary>Rows that a captured stretch scatters: what it takes of their numbers was uploaded with these, before it.</summary>
    [Fact]
    public void Scattered_rows_are_captured()
    {
        const int Rows = 5;
        var numbers = device.AllocateIndices(Rows, "test");
        var ones = device.AllocateTensor(BufferKind.Compute, Rows, Columns, "test");
        device.Fill(ones, 1);
        for (int i = 0; i < 4; i++)
        {
            device.Upload([.. Enumerable.Range(0, Rows).Select(r => r <= i ? 0 : r)], numbers);
            var table = device.AllocateTensor(BufferKind.State, Rows, Columns, "test");
            using (device.Capture(Stretch)) device.ScatterAddRows(table, ones, numbers);
            device.AddScaled(sum, table.RowRange(0, 1), Math.Pow(10, i));
            table.Buffer.Dispose();
        }

        Assert.Equal(new CaptureCounts(3, 1, 0), device.Captures);
        Assert.Equal(4321, Sum());
        foreach (var buffer in (DeviceBuffer[])[numbers.Buffer, ones.Buffer]) buffer.Dispose();
    }

    [Fact]
    public void With_an_observer_nothing_is_captured()
    {
        Warm();
        device.Observer = new Blind();
        for (int i = 0; i < 3; i++) Add(1);
        Assert.Equal(default(CaptureCounts), device.Captures);
        device.Observer = null;
        Add(1);
        Assert.Equal(1, device.Captures!.Value.Launched);
        Assert.Equal(4, Sum());
    }

    /// <summary>A launch that the driver refuses ends the stretch with that error, and no later one.</summary>
    [Fact]
    public unsafe void A_refused_launch_is_told_once_and_the_next_stretch_runs()
    {
        Warm();
        var error = Assert.Throws<DeviceException>(() =>
        {
            using var stretch = device.Capture(Stretch);
            device.AddScaled(sum, one, 1);
            long nothing = 0;
            device.Context.Launch(0, "no_kernel", new Grid(1), 32, 0, &nothing, 8);
        });
        Assert.Contains("no_kernel", error.Message, StringComparison.Ordinal);
        Add(2);
        Assert.Equal(2, Sum());
    }

    [Fact]
    public void A_capture_that_something_else_has_spoiled_says_which()
    {
        Warm();
        var error = Assert.Throws<DeviceException>(() =>
        {
            using var stretch = device.Capture(Stretch);
            device.AddScaled(sum, one, 1);
            Assert.ThrowsAny<Exception>(device.Stream.Synchronize); // past the device, which would have interrupted
        });
        Assert.Contains($"cuStreamEndCapture of the {Stretch}", error.Message, StringComparison.Ordinal);
        Assert.Contains("Leave CUDA graphs off", error.Message, StringComparison.Ordinal);
        Add(2);
        Assert.Equal(2, Sum());
    }

    [Fact]
    public void A_driver_without_graphs_is_refused_by_the_call_that_it_lacks()
    {
        var error = Assert.Throws<DeviceException>(() => CudaGraphs.CallsOf("cuda", name => name == "cuGraphExecUpdate_v2" ? 0 : 1));
        Assert.Contains("the driver has no cuGraphExecUpdate_v2", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("reference")]
    [InlineData("ilgpu:cuda-sim")]
    public void Other_devices_refuse_graphs_and_capture_nothing(string name)
    {
        var error = Assert.Throws<DeviceException>(() => Devices.Create(name, new DeviceOptions { CudaGraphs = true }));
        Assert.Contains("it has no CUDA graphs", error.Message, StringComparison.Ordinal);
        using var plain = CudaTestDevices.Float32();
        for (int i = 0; i < 2; i++) plain.Capture(Stretch).Dispose();
        Assert.Null(plain.Captures);
    }

    private void Warm() => device.Capture(Stretch).Dispose();

    /// <summary>Adds numbers in one stretch, a kernel each.</summary>
    private void Add(params double[] numbers)
    {
        using var stretch = device.Capture(Stretch);
        foreach (double number in numbers) device.AddScaled(sum, one, number);
    }

    private double Sum()
    {
        var values = new double[Columns];
        device.Download(sum, values);
        Assert.All(values, value => Assert.Equal(values[0], value));
        return values[0];
    }

    private sealed class Product : IDisposable
    {
        private const int M = 16, N = 24;
        private readonly Device device;
        private readonly Tensor a;
        private readonly Tensor b;

        public Product(Device device, int depth)
        {
            this.device = device;
            (C, a, b) = (New(M, N), New(M, depth), New(N, depth));
            foreach (var operand in (Tensor[])[a, b]) device.Upload([.. Enumerable.Range(0, (int)operand.Length).Select(i => i % 7 - 2.5f)], operand);
        }

        public Tensor C { get; }

        public void Run() => device.Matmul(C, a, b, MatmulForm.NT);

        public float[] Read()
        {
            var values = new float[M * N];
            device.Download(C, values);
            return values;
        }

        public void Dispose()
        {
            foreach (var tensor in (Tensor[])[C, a, b]) tensor.Buffer.Dispose();
        }

        private Tensor New(int rows, int columns) => device.AllocateTensor(BufferKind.Compute, rows, columns, "test");
    }

    /// <summary>Looks at nothing.</summary>
    private sealed class Blind : IOperationObserver
    {
        public void BeginOperation(string operation, OpCost cost)
        {
        }

        public void BeginScope(string name, int index)
        {
        }

        public void End()
        {
        }
    }
}
