using System.CommandLine;

namespace RepNoise.Host.Commands;

/// <summary><c>repnoise devices</c>.</summary>
internal static class DevicesCommand
{
    public static Command Build(Func<Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand("devices", "List the devices that can run a model on this machine.", "./repnoise devices");
        command.SetAction(_ => handler(terminal, stop));
        return command;
    }
}
