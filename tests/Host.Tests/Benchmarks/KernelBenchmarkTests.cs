using System.Reflection;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Benchmarks;

/// <summary>Benchmarks cover the contract, prove what they time, and notice what is wrong.</summary>
public sealed class KernelBenchmarkTests
{
    // Larger than a part of every dimension that is proven in parts.
    private static readonly SuiteModel Small = new("small", 40, 64, 96, 4, 2, 3, 5, 6);

    private static readonly KernelBenchmark Fill = KernelBenchmarks.Find("fill", "--op");

    /// <summary>Devices and how much of a result is proven at once.</summary>
    public static TheoryData<string, bool> Devices => new()
    {
        { "cpu", false }, { "cpu", true }, { "reference:float32", false }, { "reference:bfloat16", false }, { "reference:bfloat16", true },
    };

    [Fact]
    public void Every_operation_of_the_contract_has_a_benchmark()
    {
        var operations = typeof(Device).GetMethods(BindingFlags.Instance | BindingFlags.NonPublic)
            .Where(method => method.Name.EndsWith("Core", StringComparison.Ordinal) && method.Name != "AllocateCore")
            .Select(method => method.Name[..^"Core".Length]).Distinct();
        Assert.Equal(operations.Order(), KernelBenchmarks.All.Select(benchmark => benchmark.Operation).Distinct().Order());
        Assert.Equal(KernelBenchmarks.All.Count, KernelBenchmarks.All.Select(benchmark => benchmark.Name).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Every_benchmark_is_right_on_every_kind_of_device(string name, bool inParts)
    {
        using var device = RepNoise.Kernels.Devices.Create(name);
        foreach (var benchmark in KernelBenchmarks.All)
        {
            foreach (var shape in Suite(benchmark, Small))
            {
                using var kernel = PreparedKernel.Create(benchmark, shape, device, check: true, inParts ? 0 : Proofs.WholeFlops);
                bool divides = benchmark.Dimensions.Where((d, i) => d.Sample > 0 && d.Sample < shape[i]).Any();
                Assert.Equal(inParts && divides ? "reference, parts" : "reference", kernel.Proof);
                Assert.True(kernel.Cost.Bytes > 0, benchmark.Name);
                kernel.Run();
            }
        }

        if (name.StartsWith("reference", StringComparison.Ordinal)) Assert.Equal(0, device.AllocatedBytes); // others keep scratch
    }

    [Fact]
    public void Example_shapes_are_read_and_the_suite_has_each_shape_once()
    {
        var suite = new KernelSuite(KernelBenchmarks.All, SuiteModel.All, 1);
        var entries = suite.Entries.Select(entry => entry.Benchmark.Name + KernelBenchmark.Typed(entry.Shape)).ToList();
        Assert.Equal(entries.Distinct(), entries);
        foreach (var benchmark in KernelBenchmarks.All)
        {
            Assert.Contains(benchmark.Name + benchmark.Example, entries);
            Assert.Equal(benchmark.Example, KernelBenchmark.Typed(benchmark.ParseShape(benchmark.Example)));
        }
    }

    [Fact]
    public void A_wrong_result_has_no_time()
    {
        using var device = RepNoise.Kernels.Devices.Create("cpu");
        var wrong = Fill with { Build = (o, d) => Filling(o, d, o.Device.Name == "cpu" ? 1.0001 : 1) };
        var error = Assert.Throws<InputException>(() => PreparedKernel.Create(wrong, [9, 9], device, check: true));
        Assert.Contains("fill 9,9 on cpu, elementwise=", error.Message, StringComparison.Ordinal);
        Assert.Contains("target is wrong: relative error 0.0001", error.Message, StringComparison.Ordinal);
        using var unproven = PreparedKernel.Create(wrong, [9, 9], device, check: false);
        Assert.Equal("unchecked", unproven.Proof);

        var lost = Fill with { Build = (o, d) => Filling(o, d, o.Device.Name == "cpu" ? double.NaN : 1) };
        Assert.Contains("NaN", Assert.Throws<InputException>(() => PreparedKernel.Create(lost, [9, 9], device, check: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_gradient_of_the_head_is_seen_by_its_spot_check()
    {
        using var device = RepNoise.Kernels.Devices.Create("cpu");
        var benchmark = KernelBenchmarks.Find("linear_cross_entropy", "--op");
        var twice = benchmark with
        {
            Build = (o, d) =>
            {
                var run = benchmark.Build(o, d);
                return !d[0].IsWhole ? run : () =>
                {
                    run();
                    device.Observer = null; // a second call would be refused
                    run(); // adds to dWeight once more; losses and dX are right
                };
            },
        };
        using var right = PreparedKernel.Create(benchmark, [9, 16, 40], device, check: true, wholeFlops: 0);
        Assert.Equal("reference, parts", right.Proof);
        Assert.Contains("dWeight is wrong",
            Assert.Throws<InputException>(() => PreparedKernel.Create(twice, [9, 16, 40], device, check: true, wholeFlops: 0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_benchmark_of_another_operation_is_a_mistake_of_ours()
    {
        using var device = RepNoise.Kernels.Devices.Create("reference");
        var other = Fill with { Operation = nameof(Device.Copy) };
        Assert.Throws<InvalidOperationException>(() => PreparedKernel.Create(other, [9, 9], device, check: false));
        Assert.Null(device.Observer);
        Assert.Equal(0, device.AllocatedBytes);
    }

    [Fact]
    public void A_proof_of_minutes_is_refused()
    {
        var error = Assert.Throws<InputException>(() => Proofs.RefuseLong(Fill, [9, 9], 1e12));
        Assert.Contains("--no-check", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("attention_forward", "2,8,3,2,8,0", "3 heads over 2 of size 8; expected key/value heads that divide the heads")]
    [InlineData("rotary", "4,2,7", "a multiple of the head size")]
    [InlineData("upload", "100000,100000", "a tensor is too large")]
    public void A_shape_that_no_operation_takes_is_told_in_its_words(string name, string shape, string words)
    {
        using var device = RepNoise.Kernels.Devices.Create("reference");
        var benchmark = KernelBenchmarks.Find(name, "--op");
        var error = Assert.Throws<UsageException>(() => PreparedKernel.Create(benchmark, benchmark.ParseShape(shape), device, check: true));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.Equal(0, device.AllocatedBytes);
    }

    private static IEnumerable<int[]> Suite(KernelBenchmark benchmark, SuiteModel model) =>
        benchmark.SuiteShapes(model).DefaultIfEmpty(benchmark.SuiteShapes(SuiteModel.All[0]).First());

    private static Action Filling(Operands o, Extent[] d, double value)
    {
        var target = o.Zeroed(BufferKind.Compute, d[0], d[1]);
        o.Result("target", target, d[0], d[1]);
        return () => o.Device.Fill(target, value);
    }
}
