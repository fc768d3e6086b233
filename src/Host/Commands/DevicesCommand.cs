using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>devices</c> was told.</summary>
/// <param name="Kernels">Show kernel families and their variants too.</param>
/// <param name="DumpPtx">Folder to write the kernels in C# to, as PTX and as OpenCL C, in place of the list; or null.</param>
internal sealed record DevicesOptions(bool Kernels, string? DumpPtx);

/// <summary><c>repnoise devices</c>.</summary>
internal static class DevicesCommand
{
    public static Command Build(Func<DevicesOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "devices",
            "List the devices that can run a model on this machine and, on request, the kernels that each can choose from.",
            "./repnoise devices",
            "./repnoise devices --kernels",
            "./repnoise devices --dump-ptx kernels");
        ValueOption<bool> kernels = new(
            "--kernels", Values.Boolean, false, "Show each device's kernel families: operations, variants for --kernel, and which of them is chosen.");
        ValueOption<string?> dump = new(
            "--dump-ptx", Values.Path, null, "Folder for what the kernels in C# compile to: a .ptx and a .cl file each. Needs no GPU.");
        command.AddOptions(kernels.Symbol, dump.Symbol);
        command.SetAction(line => handler(new DevicesOptions(kernels.Read(line), dump.Read(line)), terminal, stop));
        return command;
    }
}
