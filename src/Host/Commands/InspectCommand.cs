using System.CommandLine;

namespace RepNoise.Host.Commands;

/// <summary>What <c>inspect</c> was told.</summary>
internal sealed record InspectOptions(string Model);

/// <summary><c>repnoise inspect MODEL</c>.</summary>
internal static class InspectCommand
{
    public static Command Build(Func<InspectOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "inspect", "Show what a model folder holds: architecture, parameters, tensors and their sizes.", "./repnoise inspect models/llama");
        var model = DocumentedCommand.ModelArgument(required: true);
        command.Arguments.Add(model);
        command.SetAction(line => handler(new InspectOptions(DocumentedCommand.ReadModel(line, model)), terminal, stop));
        return command;
    }
}
