using System.CommandLine;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Commands;

/// <summary>What <c>bench kernel</c> was told.</summary>
internal sealed record BenchKernelOptions
{
    public required KernelBenchmark Benchmark { get; init; }

    public required int[] Shape { get; init; }

    /// <summary>The variant to force, or null for the device's own choice.</summary>
    public string? Variant { get; init; }

    /// <summary>Exactly this many timed calls; 0 for as many as fit in <see cref="Seconds"/>.</summary>
    public int Repeats { get; init; }

    public double Seconds { get; init; }

    /// <summary>Prove the result first.</summary>
    public bool Check { get; init; }

    /// <summary>A file to which the row is added, or null.</summary>
    public string? Json { get; init; }

    public string Device { get; init; } = "cpu";

    public int Threads { get; init; }
}

/// <summary><c>repnoise bench kernel</c>.</summary>
internal static class BenchKernelCommand
{
    private const double DefaultSeconds = 1;

    public static Command Build(Func<BenchKernelOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "kernel",
            "Time one operation at any shape, alone in its process, so that a profiler sees nothing else: operands are placed, the result is " +
            "proven, caches and clocks are warmed up, and then a line on standard error names the process before the timed calls begin.",
            "./repnoise bench kernel --op matmul --shape 1024,2048,768 --variant avx512 --device cpu",
            "./repnoise bench kernel --op attention_backward --shape 4,256,8,8,32 --threads 1 --seconds 10",
            "./repnoise bench kernel --op linear_cross_entropy --shape 512,256,32000 --repeats 20")
        {
            Sections = [("Operations and their shapes", [.. KernelBenchmarks.All.Select(b => (b.Name, Describe(b)))])],
        };
        ValueOption<string?> op = new("--op", Values.Text, null, "The operation; see the list below.");
        ValueOption<string?> shape = new("--shape", Values.Text, null, "Its dimensions, separated by commas, in the order of the list below.");
        ValueOption<string?> variant = new(
            "--variant", Values.Text, null, "Force this variant, see repnoise devices --kernels; the device chooses where not given.");
        ValueOption<int> repeats = new(
            "--repeats", Values.Integer(0, "an integer, 0 or more"), 0, "Exactly this many timed calls; 0 goes by --seconds.");
        ValueOption<double> seconds = new("--seconds", Values.Positive(), DefaultSeconds, "Make timed calls for about this long.");
        ValueOption<bool> noCheck = new(
            "--no-check", Values.Boolean, false, "Leave the proof out: for shapes that the reference would need minutes for.");
        ValueOption<string?> json = new("--json", Values.Path, null, "Add the row to this file as a line of JSON.");
        var machine = new MachineOptions();
        command.AddOptions(op.Symbol, shape.Symbol, variant.Symbol, repeats.Symbol, seconds.Symbol, noCheck.Symbol, json.Symbol);
        command.AddOptions(machine.Device.Symbol, machine.Threads.Symbol);
        command.SetAction(line =>
        {
            if (op.Read(line) is not { } name)
                throw new UsageException("--op", "not given", "the operation to time, such as matmul", "see repnoise bench kernel --help");
            if (repeats.ReadAll(line).Count > 0 && seconds.ReadAll(line).Count > 0)
                throw new UsageException("--repeats", "given together with --seconds", "one of the two", "keep the one you mean");
            var benchmark = KernelBenchmarks.Find(name, "--op");
            return handler(
                new BenchKernelOptions
                {
                    Benchmark = benchmark,
                    Shape = benchmark.ParseShape(shape.Read(line)),
                    Variant = variant.Read(line),
                    Repeats = repeats.Read(line),
                    Seconds = seconds.Read(line),
                    Check = !noCheck.Read(line),
                    Json = json.Read(line),
                    Device = machine.Device.Read(line)!,
                    Threads = machine.Threads.Read(line),
                },
                terminal,
                stop);
        });
        return command;
    }

    private static string Describe(KernelBenchmark b) => b.Dimensions.Count == 0
        ? $"no shape: {b.Formula}."
        : $"{b.Signature}: {b.Formula}; {b.Meanings}. Such as {b.Example}.";
}
