using System.Text.Json;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.Tests.Support;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Benchmarks;

/// <summary>Timings, rows and tables.</summary>
public sealed class BenchmarkResultTests
{
    [Fact]
    public void Percentiles_are_samples()
    {
        var timing = Timing.Of([6, 1, 5, 2, 4, 3], 7);
        Assert.Equal(new Timing(3, 2, 5, 6, 7), timing with { Median = 3 });
        Assert.Contains(timing.Median, new[] { 3.0, 4.0 });
    }

    [Fact]
    public void Exactly_the_calls_that_are_asked_for_are_made()
    {
        using var device = Devices.Create("reference");
        int calls = 0;
        Assert.Equal(5, Timing.Calls(device, () => calls++, 5, CancellationToken.None).Samples);
        Assert.Equal(5, calls);
        var stopped = Timing.Calls(device, () => calls++, 5, new CancellationToken(canceled: true));
        Assert.Equal((1, 6), (stopped.Samples, calls));
    }

    [Fact]
    public void Samples_of_short_calls_hold_many()
    {
        using var device = Devices.Create("reference");
        long calls = 0;
        var timing = Timing.For(device, () => calls++, callSeconds: 1e-5, seconds: 1e-4, CancellationToken.None);
        Assert.Equal(100, timing.CallsPerSample);
        Assert.True(timing.Samples >= 5);
        Assert.Equal(calls, (long)timing.Samples * timing.CallsPerSample);
    }

    [Fact]
    public void A_row_says_what_was_measured_and_how_near_the_limit_it_is()
    {
        using var device = Devices.Create("cpu");
        var benchmark = KernelBenchmarks.Find("matmul", "--op");
        using var kernel = PreparedKernel.Create(benchmark, [10, 20, 50], device, check: true);
        var row = BenchmarkRow.Of(kernel, new Timing(1e-6, 0.9e-6, 2e-6, 5, 3), new DeviceLimits(80, 1000), new NeighbouringPeak(30, 50), 2);
        Assert.Equal(20000, row.Flops);
        Assert.Equal(20, row.Gflops, 9);
        Assert.Equal(0.5, row.ShareOfLimit!.Value, 9);
        var json = JsonDocument.Parse(row.ToJson()).RootElement;
        foreach (string name in (string[])["op", "variant", "device", "machine", "versions", "commit", "proof", "dtype", "threads", "seconds", "peak_bytes"])
            Assert.True(json.TryGetProperty(name, out _), name);
        Assert.Equal(50, json.GetProperty("shape").GetProperty("k").GetInt32());
        Assert.Equal(3, json.GetProperty("seconds").GetProperty("calls_per_sample").GetInt32());
        Assert.Contains("| matmul | m=10 n=20 k=50 | matmul=", BenchmarkTable.Line(row), StringComparison.Ordinal);
        Assert.EndsWith("| 1.00 us | 900 ns | 2.00 us | 20.0 | 6.8 | 40 | 50 % | compute |", BenchmarkTable.Line(row), StringComparison.Ordinal);
    }

    [Fact]
    public void Bench_writes_the_table_and_the_same_rows_as_files()
    {
        using var folder = new TempFolder();
        string json = Path.Combine(folder.Path, "new", "rows.jsonl");
        var result = TinyWorld.Run("bench", "--ops", "clip_factor,ascent_value", "--seconds", "0.01", "--threads", "1", "--json", json);
        Assert.True(result.Code == 0, result.Error);
        Assert.Equal(["clip_factor", "ascent_value"], File.ReadLines(json).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("op").GetString()!));
        string table = File.ReadAllText(Path.ChangeExtension(json, ".md"));
        Assert.Equal(result.Out.TrimEnd('\n'), table.TrimEnd('\n'));
        Assert.Contains("GFLOP/s multiply-adds", table, StringComparison.Ordinal);
        Assert.Equal(2, TinyWorld.Run("bench", "--ops", "clip_factor", "--json", Path.ChangeExtension(json, ".md")).Code);
    }

    [Fact]
    public void Bench_kernel_names_its_process_and_counts_its_calls()
    {
        var result = TinyWorld.Run("bench", "kernel", "--op", "matmul", "--shape", "9,8,7", "--variant", "vector128", "--repeats", "3", "--threads", "1");
        Assert.True(result.Code == 0, result.Error);
        Assert.StartsWith($"pid {Environment.ProcessId}: matmul m=9 n=8 k=7 matmul=vector128, warm at ", result.Error, StringComparison.Ordinal);
        Assert.EndsWith("3 calls begin now\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("proof    reference\n", result.Out, StringComparison.Ordinal);
        Assert.Contains("calls    3 (3 samples of 1)\n", result.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("matmul has no variant \"fast\" on device cpu; expected one of ", "--op", "matmul", "--shape", "8,8,8", "--variant", "fast")]
    [InlineData("device reference has no variants of matmul", "--op", "matmul", "--shape", "8,8,8", "--variant", "avx2", "--device", "reference")]
    [InlineData("there is no such device", "--op", "matmul", "--shape", "8,8,8", "--variant", "avx2", "--device", "abacus")]
    public void A_variant_that_is_not_there_is_an_error_that_lists_those_that_are(string message, params string[] line)
    {
        var result = TinyWorld.Run(["bench", "kernel", .. line]);
        Assert.NotEqual(0, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Out);
    }
}
