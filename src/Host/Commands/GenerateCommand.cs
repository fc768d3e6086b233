using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Dumps;
using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Commands;

/// <summary>What <c>generate</c> was told.</summary>
internal sealed record GenerateOptions : MachineChoice
{
    public required string Model { get; init; }

    /// <summary>The prompts; empty where they are to be read from standard input, one a line.</summary>
    public required IReadOnlyList<string> Prompts { get; init; }

    public AnsweringOptions Answering { get; init; } = new();

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
            "./repnoise generate models/llama-chat --prompt \"How is bread made?\" --chat-template --generation-config",
            "./repnoise generate models/llama --max-new-tokens 20 < prompts.txt",
            "./repnoise generate models/llama --prompt Hello --dump-tensors dump --dump-steps 1-3");
        var model = DocumentedCommand.ModelArgument(required: true);
        ValueOption<string?> prompt = new("--prompt", Values.Text, null, "Text to continue; may be repeated. Without it, each line of standard input.");
        var generation = new GenerationOptions("Options");
        var machine = new MachineOptions();
        var dump = new DumpCommandOptions("Forward passes");
        command.Arguments.Add(model);
        command.AddOptions(prompt.Symbol);
        command.AddOptions(generation.Symbols);
        command.AddOptions(machine.Symbols);
        command.AddOptions(dump.Symbols);
        command.SetAction(line => handler(
            machine.Read(line, new GenerateOptions
            {
                Model = DocumentedCommand.ReadModel(line, model),
                Prompts = [.. prompt.ReadAll(line).Select(text => text!)],
                Answering = generation.Read(line),
                Dump = dump.Read(line),
            }),
            terminal,
            stop));
        return command;
    }
}
