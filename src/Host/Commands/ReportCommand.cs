using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>report</c> was told.</summary>
/// <param name="Folder">An experiment's output folder.</param>
/// <param name="Output">The file to write; null for report.html in the folder.</param>
internal sealed record ReportOptions(string Folder, string? Output);

/// <summary><c>repnoise report DIR</c>.</summary>
internal static class ReportCommand
{
    public static Command Build(Func<ReportOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "report",
            "Write one HTML file with the figures and tables of an experiment. It needs nothing else: no network, no script; readable in print and in dark mode.",
            "./repnoise report out/table1",
            "./repnoise report out/table1 --output table1.html");
        var folder = new Argument<string>("DIR") { Description = "Output folder of an experiment or of the demo.", Arity = ArgumentArity.ExactlyOne };
        ValueOption<string?> output = new("--output", Values.Path, null, "The file to write; DIR/report.html where not given.");
        command.Arguments.Add(folder);
        command.AddOptions(output.Symbol);
        command.SetAction(line => handler(new ReportOptions(DocumentedCommand.ReadPath(line, folder), output.Read(line)), terminal, stop));
        return command;
    }
}
