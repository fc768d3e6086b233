using System.Globalization;
using RepNoise.Host.Commands;
using RepNoise.Host.Commands.Handlers;

namespace RepNoise.Host;

internal static class Program
{
    internal static int Main(string[] arguments)
    {
        // Before the command line is read: under a comma locale 0.5 would be read as 5.
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        CultureInfo.DefaultThreadCurrentUICulture = CultureInfo.CurrentUICulture = CultureInfo.InvariantCulture;
        var terminal = Terminal.Standard();
        using var interruption = new Interruption(terminal);
        return CommandLine.Run(arguments, Handling.All, terminal, interruption.Token);
    }
}
