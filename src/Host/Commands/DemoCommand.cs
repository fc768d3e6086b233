using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>demo</c> was told.</summary>
/// <param name="Output">Where to keep the models it trains, or null for a folder that is removed at the end.</param>
/// <param name="Seed">Seed of weights, noise and data order.</param>
/// <param name="StepsScale">Share of the usual training steps, for a quick look; results are meaningful at 1.</param>
/// <param name="Threads">Threads of the cpu device; 0 takes every core.</param>
internal sealed record DemoOptions(string? Output, ulong Seed, double StepsScale, int Threads);

/// <summary><c>repnoise demo</c>.</summary>
internal static class DemoCommand
{
    public static Command Build(Func<DemoOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "demo",
            "Train a small model from scratch on a harmless stand-in world, defend it, and show its answers before and after.",
            "./repnoise demo",
            "./repnoise demo --output demo-models --seed 7");
        ValueOption<string?> output = new("--output", Values.Path, null, "Keep the trained models in this folder.");
        ValueOption<ulong> seed = new("--seed", Values.Seed, 42, "Seed of weights, noise and data order.");
        ValueOption<double> scale = new("--steps-scale", Values.Positive(), 1, "Share of the usual training steps, for a quick look.");
        var machine = new MachineOptions();
        command.AddOptions(output.Symbol, seed.Symbol, scale.Symbol, machine.Threads.Symbol);
        command.SetAction(line => handler(
            new DemoOptions(output.Read(line), seed.Read(line), scale.Read(line), machine.Threads.Read(line)), terminal, stop));
        return command;
    }
}
