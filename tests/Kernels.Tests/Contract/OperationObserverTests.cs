namespace RepNoise.Kernels.Tests;

/// <summary>What an observer is told, and that neither its presence nor its absence changes anything else.</summary>
public sealed class OperationObserverTests
{
    [Fact]
    public void An_operation_is_told_with_its_cost_between_begin_and_end()
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        var (c, a, b) = Operands(device);
        var log = new Log();
        device.Observer = log;
        using (device.Scope("forward"))
        using (device.Scope("layer", 3))
        {
            device.Matmul(c, a, b, MatmulForm.NN);
        }

        Assert.Equal(["forward -1", "layer 3", $"Matmul {Device.MatmulCost(5, 7, 3, 4)}", "end", "end", "end"], log.Lines);
    }

    [Fact]
    public void A_tensor_is_shown_only_to_an_observer_that_wants_tensors()
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        var (c, _, _) = Operands(device);
        var (deaf, keen) = (new Log(), new Log { WantsTensors = true });
        foreach (var log in new[] { deaf, keen })
        {
            device.Observer = log;
            device.Show("c", c);
            device.Show("loss", 1.5, 2);
            device.Show("ids", [3, 4]);
        }

        Assert.Empty(deaf.Lines);
        Assert.Equal(["c (5, 7)", "loss 1.5 2", "ids 3 4"], keen.Lines);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Threads_work_within_the_operation(int threads)
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = threads });
        var x = device.AllocateTensor(BufferKind.Compute, 512, 1024, "test");
        var log = new Log { WantsWork = true };
        device.Observer = log;
        long before = System.Diagnostics.Stopwatch.GetTimestamp();
        device.Fill(x, 1);
        long after = System.Diagnostics.Stopwatch.GetTimestamp();
        Assert.NotEmpty(log.Work);
        Assert.All(log.Work, span =>
        {
            Assert.InRange(span.Worker, 0, threads - 1);
            Assert.True(before <= span.Begin && span.Begin <= span.End && span.End <= after);
        });
        log.Work.Clear();
        device.Observer = null;
        device.Fill(x, 2);
        Assert.Empty(log.Work);
    }

    [Fact]
    public void A_refused_operation_is_not_told()
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        var (c, a, _) = Operands(device);
        var log = new Log();
        device.Observer = log;
        Assert.Throws<ShapeException>(() => device.Matmul(c, a, a, MatmulForm.NN));
        Assert.Empty(log.Lines);
    }

    [Fact]
    public void Observed_results_are_the_same_bits()
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        Assert.Equal(Product(device, null), Product(device, new Log()));
    }

    [Fact]
    public void Without_an_observer_nothing_is_allocated()
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        var (c, a, b) = Operands(device);
        Repeat(device, c, a, b);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Repeat(device, c, a, b);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static void Repeat(Device device, Tensor c, Tensor a, Tensor b)
    {
        for (int i = 0; i < 100; i++)
        {
            using var scope = device.Scope("forward");
            device.Show("a", a);
            device.Show("loss", 1.5);
            device.Matmul(c, a, b, MatmulForm.NN);
        }
    }

    private static int[] Product(Device device, IOperationObserver? observer)
    {
        var (c, a, b) = Operands(device);
        device.Observer = observer;
        device.Matmul(c, a, b, MatmulForm.NN);
        var values = new float[c.Length];
        device.Download(c, values);
        device.Observer = null;
        return [.. values.Select(BitConverter.SingleToInt32Bits)];
    }

    /// <summary>C (5, 7), A (5, 3) and B (3, 7) with values that differ.</summary>
    private static (Tensor C, Tensor A, Tensor B) Operands(Device device)
    {
        var c = device.AllocateTensor(BufferKind.Compute, 5, 7, "test");
        var a = device.AllocateTensor(BufferKind.Compute, 5, 3, "test");
        var b = device.AllocateTensor(BufferKind.Compute, 3, 7, "test");
        device.Upload(Enumerable.Range(1, 15).Select(i => 1f / i).ToArray(), a);
        device.Upload(Enumerable.Range(1, 21).Select(i => 1f / (i + 3)).ToArray(), b);
        return (c, a, b);
    }

    private sealed class Log : IOperationObserver
    {
        public List<string> Lines { get; } = [];

        public List<(int Worker, long Begin, long End)> Work { get; } = [];

        public bool WantsTensors { get; init; }

        public bool WantsWork { get; init; }

        public void BeginOperation(string operation, OpCost cost) => Lines.Add($"{operation} {cost}");

        public void BeginScope(string name, int index) => Lines.Add($"{name} {index}");

        public void End() => Lines.Add("end");

        public void OnWork(int worker, long begin, long end) => Work.Add((worker, begin, end));

        public void OnTensor(string name, Tensor tensor) => Lines.Add($"{name} {tensor}");

        public void OnValues(string name, ReadOnlySpan<double> values) => Lines.Add($"{name} {string.Join(' ', values.ToArray())}");

        public void OnValues(string name, ReadOnlySpan<int> values) => Lines.Add($"{name} {string.Join(' ', values.ToArray())}");
    }
}
