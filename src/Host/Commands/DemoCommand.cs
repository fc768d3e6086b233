using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>demo</c> was told.</summary>
internal sealed record DemoOptions
{
    /// <summary>Folder of models, results and report.</summary>
    public string Output { get; init; } = DefaultOutput;

    /// <summary>The first seed.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Repetitions; their seeds are consecutive.</summary>
    public int Seeds { get; init; } = 1;

    /// <summary>Train the aligned model first, in place of the one that the program carries.</summary>
    public bool FromScratch { get; init; }

    /// <summary>Share of the usual training steps and questions, for a quick look; results are meaningful at 1.</summary>
    public double StepsScale { get; init; } = 1;

    /// <summary>Threads of the cpu device; 0 takes every core.</summary>
    public int Threads { get; init; }

    internal const string DefaultOutput = "out/demo";
}

/// <summary><c>repnoise demo</c>.</summary>
internal static class DemoCommand
{
    public static Command Build(Func<DemoOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "demo",
            "Defend a small aligned model on a harmless stand-in world, attack it and the undefended one, measure both, and write a report: an experiment that the "
            + "program carries with it. Started again with the same output it goes on.",
            "./repnoise demo",
            "./repnoise demo --seeds 3 --output demo",
            "./repnoise demo --from-scratch --output demo");
        ValueOption<string?> output = new("--output", Values.Path, DemoOptions.DefaultOutput, "Folder for models, answers, results.json and report.html.");
        ValueOption<int> seeds = new("--seeds", Values.PositiveInteger(), 1, "Repetitions, with consecutive seeds.");
        ValueOption<ulong> seed = new("--seed", Values.Seed, 42, "The first seed: of noise and data order.");
        ValueOption<bool> scratch = new("--from-scratch", Values.Boolean, false, "Train the aligned model first, in place of the one that comes with the program.");
        ValueOption<double> scale = new("--steps-scale", Values.Positive(), 1, "Share of the usual training steps and questions, for a quick look.");
        var machine = new MachineOptions();
        command.AddOptions(output.Symbol, seeds.Symbol, seed.Symbol, scratch.Symbol, scale.Symbol, machine.Threads.Symbol);
        command.SetAction(line => handler(
            new DemoOptions
            {
                Output = output.Read(line)!,
                Seed = seed.Read(line),
                Seeds = seeds.Read(line),
                FromScratch = scratch.Read(line),
                StepsScale = scale.Read(line),
                Threads = machine.Threads.Read(line),
            },
            terminal,
            stop));
        return command;
    }
}
