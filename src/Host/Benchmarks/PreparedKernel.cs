using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>A benchmark with its operands on a device, run once and, unless told otherwise, proven right.</summary>
internal sealed class PreparedKernel : IDisposable
{
    // Asking for the devices may wake a GPU.
    private static readonly Lazy<IReadOnlyList<DeviceInfo>> Known = new(Devices.List);

    private readonly Operands operands;

    private PreparedKernel(KernelBenchmark benchmark, int[] shape, Operands operands, Action run, OpCost cost, string variant)
    {
        (Benchmark, Shape, this.operands, Run, Cost, Variant) = (benchmark, shape, operands, run, cost, variant);
    }

    public KernelBenchmark Benchmark { get; }

    public int[] Shape { get; }

    public Device Device => operands.Device;

    /// <summary>Calls the operation once.</summary>
    public Action Run { get; }

    /// <summary>What the operation told an observer that it needs.</summary>
    public OpCost Cost { get; }

    /// <summary>The variant that runs, <c>matmul=avx512</c>; empty where the device has no choice.</summary>
    public string Variant { get; }

    /// <summary>How the result was proven: <c>reference</c>, <c>reference, parts</c>, or <c>unchecked</c>.</summary>
    public string Proof { get; private set; } = "unchecked";

    /// <summary>Places operands, runs once and compares with the reference device.</summary>
    /// <param name="benchmark">What to run.</param>
    /// <param name="shape">Its dimensions; see <see cref="KernelBenchmark.ParseShape"/>.</param>
    /// <param name="device">Where.</param>
    /// <param name="check">False leaves the comparison out.</param>
    /// <param name="wholeFlops">See <see cref="Proofs.WholeFlops"/>.</param>
    /// <exception cref="UsageException">The shape is none that the operation takes.</exception>
    /// <exception cref="InputException">A result is wrong.</exception>
    /// <exception cref="DeviceException">Not enough memory, or the device cannot run this shape.</exception>
    public static PreparedKernel Create(
        KernelBenchmark benchmark, int[] shape, Device device, bool check, double wholeFlops = Proofs.WholeFlops)
    {
        var operands = new Operands(device);
        try
        {
            var run = benchmark.Build(operands, [.. shape.Select(length => (Extent)length)]);
            var prepared = new PreparedKernel(benchmark, shape, operands, run, Observe(benchmark, device, run), VariantOf(benchmark, device));
            if (check) prepared.Proof = Proofs.Check(prepared, operands, wholeFlops);
            return prepared;
        }
        catch (Exception error)
        {
            operands.Dispose();
            if (error is ShapeException or OverflowException) throw Refused(benchmark, shape, error);
            throw;
        }
    }

    public void Dispose() => operands.Dispose();

    private static string VariantOf(KernelBenchmark benchmark, Device device) =>
        FamilyOf(benchmark, device.Name) is { } family && device.Kernels.TryGetValue(family.Name, out string? variant) ? $"{family.Name}={variant}" : "";

    /// <summary>The kernel family of a device that governs a benchmark's operation, or null where it has no variants.</summary>
    public static KernelFamily? FamilyOf(KernelBenchmark benchmark, string device) => Known.Value
        .FirstOrDefault(info => info.Name == device)?.Kernels.FirstOrDefault(family => family.Operations.Contains(benchmark.Operation));

    /// <summary>The contract's own words on a shape, or ours where a product of dimensions has no room.</summary>
    private static UsageException Refused(KernelBenchmark benchmark, int[] shape, Exception error)
    {
        string[] words = error is ShapeException ? error.Message.TrimEnd('.').Split("; expected ") : [];
        var (problem, expected) = words is [var found, var wanted] ? (found, wanted) : ("a tensor is too large", "rows and columns below 2^31");
        return new UsageException("--shape", $"{benchmark.Describe(shape)}: {problem}", expected, "correct the shape; see repnoise bench kernel --help");
    }

    private static OpCost Observe(KernelBenchmark benchmark, Device device, Action run)
    {
        var observer = new CostObserver(benchmark.Operation);
        var before = device.Observer;
        device.Observer = observer;
        try
        {
            run();
        }
        finally
        {
            device.Observer = before;
        }

        return observer.Cost;
    }

    /// <summary>Takes the cost of the one operation that a benchmark calls.</summary>
    private sealed class CostObserver(string expected) : IOperationObserver
    {
        private int operations;

        public OpCost Cost { get; private set; }

        public void BeginOperation(string operation, OpCost cost)
        {
            if (operation != expected || operations++ > 0) throw new InvalidOperationException($"a benchmark of {expected} calls {operation}");
            Cost = cost;
        }

        public void BeginScope(string name, int index)
        {
        }

        public void End()
        {
        }
    }
}
