using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Dumps;

namespace RepNoise.Host.Commands;

/// <summary>What <c>generate</c> was told.</summary>
internal sealed record GenerateOptions
{
    public required string Model { get; init; }

    /// <summary>The prompts; empty where they are to be read from standard input, one a line.</summary>
    public required IReadOnlyList<string> Prompts { get; init; }

    public int MaxNewTokens { get; init; } = 50;

    /// <summary>0 takes the most likely token each time.</summary>
    public double Temperature { get; init; }

    /// <summary>Sample among this many most likely tokens; 0 takes all.</summary>
    public int TopK { get; init; }

    /// <summary>Sample among the most likely tokens that together have this probability.</summary>
    public double TopP { get; init; } = 1;

    public ulong Seed { get; init; } = 42;

    public string Device { get; init; } = "cpu";

    public int Threads { get; init; }

    /// <summary>What to dump of which forward passes, or null.</summary>
    public DumpOptions? Dump { get; init; }
}

/// <summary><c>repnoise generate MODEL --prompt TEXT</c>.</summary>
internal static class GenerateCommand
{
    public static Command Build(Func<GenerateOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "generate",
            "Continue prompts with a model: greedily, or by sampling with --temperature.",
            "./repnoise generate models/llama --prompt \"How is bread made?\"",
            "./repnoise generate models/llama --prompt Hello --temperature 0.8 --top-p 0.95 --seed 7",
            "./repnoise generate models/llama --max-new-tokens 20 < prompts.txt",
            "./repnoise generate models/llama --prompt Hello --dump-tensors dump --dump-steps 1-3");
        var model = DocumentedCommand.ModelArgument(required: true);
        ValueOption<string?> prompt = new("--prompt", Values.Text, null, "Text to continue; may be repeated. Without it, each line of standard input.");
        ValueOption<int> maxNewTokens = new("--max-new-tokens", Values.PositiveInteger(), 50, "Longest continuation in tokens.");
        ValueOption<double> temperature = new("--temperature", Values.NotNegative(), 0, "Divides the logits before sampling; 0 is greedy.");
        ValueOption<int> topK = new("--top-k", Values.Integer(0, "an integer, 0 or more"), 0, "Sample among the k most likely tokens; 0 takes all.");
        ValueOption<double> topP = new(
            "--top-p", Values.Real(double.Epsilon, 1, "a number above 0, up to 1"), 1, "Sample among the likeliest tokens of this total probability.");
        ValueOption<ulong> seed = new("--seed", Values.Seed, 42, "Seed of the sampling.");
        var machine = new MachineOptions();
        var dump = new DumpCommandOptions("Forward passes");
        command.Arguments.Add(model);
        command.AddOptions(prompt.Symbol, maxNewTokens.Symbol, temperature.Symbol, topK.Symbol, topP.Symbol, seed.Symbol);
        command.AddOptions(machine.Device.Symbol, machine.Threads.Symbol);
        command.AddOptions(dump.Symbols);
        command.SetAction(line => handler(
            Checked(new GenerateOptions
            {
                Model = DocumentedCommand.ReadModel(line, model),
                Prompts = [.. prompt.ReadAll(line).Select(text => text!)],
                MaxNewTokens = maxNewTokens.Read(line),
                Temperature = temperature.Read(line),
                TopK = topK.Read(line),
                TopP = topP.Read(line),
                Seed = seed.Read(line),
                Device = machine.Device.Read(line)!,
                Threads = machine.Threads.Read(line),
                Dump = dump.Read(line),
            }),
            terminal,
            stop));
        return command;
    }

    private static GenerateOptions Checked(GenerateOptions options)
    {
        if (options.Temperature == 0 && (options.TopK != 0 || options.TopP != 1))
        {
            throw new UsageException(
                options.TopK != 0 ? "--top-k" : "--top-p", "has no effect at temperature 0", "a temperature above 0 beside it",
                "give --temperature, or leave it out for greedy text");
        }

        return options;
    }
}
