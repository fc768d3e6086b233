using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>devices</c> was told.</summary>
/// <param name="Kernels">Show kernel families and their variants too.</param>
internal sealed record DevicesOptions(bool Kernels);

/// <summary><c>repnoise devices</c>.</summary>
internal static class DevicesCommand
{
    public static Command Build(Func<DevicesOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "devices",
            "List the devices that can run a model on this machine and, on request, the kernels that each can choose from.",
            "./repnoise devices",
            "./repnoise devices --kernels");
        ValueOption<bool> kernels = new(
            "--kernels", Values.Boolean, false, "Show each device's kernel families: operations, variants for --kernel, and which of them is chosen.");
        command.AddOptions(kernels.Symbol);
        command.SetAction(line => handler(new DevicesOptions(kernels.Read(line)), terminal, stop));
        return command;
    }
}
