using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>verify</c> was told.</summary>
/// <param name="Model">The model folder.</param>
/// <param name="Values">The recorded values, or null for values.safetensors and terms.safetensors in the folder.</param>
/// <param name="GradientCheckpointing">True for the backward that recomputes each layer.</param>
internal sealed record VerifyOptions(string Model, string? Values, bool GradientCheckpointing) : MachineChoice;

/// <summary><c>repnoise verify MODEL</c>.</summary>
internal static class VerifyCommand
{
    public static Command Build(Func<VerifyOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "verify",
            "Recompute what PyTorch computed for a model (values.safetensors) and fail where a value is over its tolerance.",
            "./repnoise verify models/llama-tiny",
            "./repnoise verify models/llama-tiny --values values.safetensors --device reference",
            "./repnoise verify models/llama-tiny --device cuda --kernel attention=simt");
        var model = DocumentedCommand.ModelArgument(required: true);
        ValueOption<string?> values = new("--values", Values.Path, null, "Recorded values; values.safetensors and terms.safetensors in the folder where not given.");
        ValueOption<bool> checkpointing = new(
            "--gradient-checkpointing", Values.Boolean, false, "Check training that recomputes each layer in the backward.");
        var machine = new MachineOptions();
        command.Arguments.Add(model);
        command.AddOptions(values.Symbol, checkpointing.Symbol);
        command.AddOptions(machine.Symbols);
        command.SetAction(line => handler(
            machine.Read(line, new VerifyOptions(DocumentedCommand.ReadModel(line, model), values.Read(line), checkpointing.Read(line))),
            terminal,
            stop));
        return command;
    }
}
