using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>verify</c> was told.</summary>
/// <param name="Model">The model folder.</param>
/// <param name="Values">The recorded values, or null for values.safetensors and terms.safetensors in the folder.</param>
/// <param name="Device">The device to check.</param>
/// <param name="Threads">Threads of the cpu device; 0 takes every core.</param>
/// <param name="GradientCheckpointing">True for the backward that recomputes each layer.</param>
/// <param name="Kernels">Forced kernel variants; empty leaves every choice to the device.</param>
internal sealed record VerifyOptions(
    string Model, string? Values, string Device, int Threads, bool GradientCheckpointing, IReadOnlyList<KernelChoice> Kernels);

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
        command.AddOptions(values.Symbol, checkpointing.Symbol, machine.Device.Symbol, machine.Threads.Symbol, machine.Kernel.Symbol);
        command.SetAction(line => handler(
            new VerifyOptions(
                DocumentedCommand.ReadModel(line, model), values.Read(line), machine.Device.Read(line)!, machine.Threads.Read(line), checkpointing.Read(line),
                machine.Kernel.ReadAll(line)),
            terminal,
            stop));
        return command;
    }
}
