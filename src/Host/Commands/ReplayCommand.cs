using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Dumps;

namespace RepNoise.Host.Commands;

/// <summary>What <c>replay</c> was told.</summary>
internal sealed record ReplayOptions
{
    /// <summary>The output folder of a run.</summary>
    public required string Run { get; init; }

    /// <summary>The step, from 1.</summary>
    public required int Step { get; init; }

    /// <summary>Another device than the run's, or null.</summary>
    public string? Device { get; init; }

    /// <summary>Begin at step 1, not at the last checkpoint before the step.</summary>
    public bool FromStart { get; init; }

    /// <summary>Other threads than the run's, or null.</summary>
    public int? Threads { get; init; }

    /// <summary>Forced kernels in place of the run's; none keeps those on the same device.</summary>
    public IReadOnlyList<KernelChoice> Kernels { get; init; } = [];

    /// <summary>Largest relative difference that passes; null asks for equal bits on the run's device and for nothing on another.</summary>
    public double? RelativeTolerance { get; init; }

    /// <summary>Where the step's tensors go, or null.</summary>
    public DumpOptions? Dump { get; init; }
}

/// <summary><c>repnoise replay RUN --step N</c>.</summary>
internal static class ReplayCommand
{
    public static Command Build(Func<ReplayOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "replay",
            "Run a step of a finished run again, with its batch, noise and weights, and compare every number with the run's record: to the bit on the same device. "
            + "Goes on from the last checkpoint before it, or from step 1 where there is none. Writes nothing into the run's folder.",
            "./repnoise replay models/llama-defended --step 40",
            "./repnoise replay out --step 3 --device reference --rtol 1e-3",
            "./repnoise replay out --step 3 --kernel matmul=avx2 --dump-tensors dump-avx2");
        var run = new Argument<string>("RUN") { Description = "Output folder of a run: run.yaml, metrics.jsonl.", Arity = ArgumentArity.ExactlyOne };
        ValueOption<int?> step = new("--step", Values.Optional(Values.PositiveInteger()), null, "The step, from 1. Required.");
        ValueOption<double?> rtol = new(
            "--rtol", Values.Optional(Values.NotNegative()), null,
            "Fail where a number is further from its record than this share. Without it: any other bit fails on the run's device, nothing on another.");
        ValueOption<bool> fromStart = new("--from-start", Values.Boolean, false, "Begin at step 1, not at the last checkpoint before the step.");
        const string Group = "Machine";
        ValueOption<string?> device = new("--device", Values.Text, null, "Another device than the run's; see repnoise devices.", Group);
        ValueOption<int?> threads = new(
            "--threads", Values.Optional(Values.Integer(0, "an integer, 0 or more")), null, "Another number of threads than the run's; 0 takes every core.", Group);
        ValueOption<KernelChoice?> kernels = new("--kernel", Values.Optional(Values.Kernel), null, "Force an operation's variant, in place of the run's choices; may be repeated.", Group);
        var dump = new DumpCommandOptions(null);
        command.Arguments.Add(run);
        command.AddOptions(step.Symbol, rtol.Symbol, fromStart.Symbol, device.Symbol, threads.Symbol, kernels.Symbol);
        command.AddOptions(dump.Symbols);
        command.SetAction(line => handler(
            new ReplayOptions
            {
                Run = DocumentedCommand.ReadPath(line, run),
                Step = step.Read(line) ?? throw new UsageException("--step", "not given", "the step to run again", "give --step N"),
                FromStart = fromStart.Read(line),
                Device = device.Read(line),
                Threads = threads.Read(line),
                Kernels = [.. kernels.ReadAll(line).OfType<KernelChoice>()],
                RelativeTolerance = rtol.Read(line),
                Dump = dump.Read(line, StepRanges.Only(step.Read(line) ?? 1)),
            },
            terminal,
            stop));
        return command;
    }
}
