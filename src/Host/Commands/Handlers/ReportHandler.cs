using System.Text;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Reports;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Writes the page of an experiment.</summary>
internal static class ReportHandler
{
    public const string FileName = "report.html";

    public static int Run(ReportOptions options, Terminal terminal, CancellationToken stop)
    {
        terminal.Out.WriteLine(Write(options.Folder, options.Output));
        return ExitCodes.Done;
    }

    /// <summary>Writes the page.</summary>
    /// <returns>Its path.</returns>
    public static string Write(string folder, string? output)
    {
        string page = ReportPage.Of(ReportData.Load(folder)), path = output ?? Path.Combine(folder, FileName);
        try
        {
            File.WriteAllText(path, page, new UTF8Encoding(false));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new InputException(path, $"it cannot be written ({problem.Message.TrimEnd('.')})", "a file in a folder that is there", "choose another --output", problem);
        }

        return path;
    }
}
