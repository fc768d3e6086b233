using System.Text;

namespace RepNoise.Host.Commands;

/// <summary>Where a command reads and writes: results go to <see cref="Out"/>, progress and messages to <see cref="Error"/>.</summary>
/// <param name="In">Standard input, UTF-8.</param>
/// <param name="Out">Standard output, UTF-8. Throws <see cref="OutputClosedException"/> when its reader has gone.</param>
/// <param name="Error">Standard error; a signal may write to it while a command does, so it is synchronised.</param>
internal sealed record Terminal(TextReader In, TextWriter Out, TextWriter Error)
{
    /// <summary>Help and tables are set to this where nothing is known of the screen.</summary>
    private const int DefaultWidth = 100;

    /// <summary>True where progress may redraw its lines: standard error is a screen that understands control sequences.</summary>
    public bool IsLive { get; init; }

    /// <summary>Columns of the screen.</summary>
    public int Width { get; init; } = DefaultWidth;

    /// <summary>The process's own standard streams.</summary>
    public static Terminal Standard()
    {
        var encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        return new Terminal(
            new StreamReader(Console.OpenStandardInput(), encoding),
            new StreamWriter(StandardOutput.Open(), encoding) { AutoFlush = true },
            TextWriter.Synchronized(new StreamWriter(Console.OpenStandardError(), encoding) { AutoFlush = true }))
        {
            IsLive = !Console.IsErrorRedirected && AllowsRedrawing(Environment.GetEnvironmentVariable),
            Width = ScreenWidth(),
        };
    }

    /// <summary>False where the environment asks for plain output: <c>NO_COLOR</c>, <c>CI</c> or <c>TERM=dumb</c>.</summary>
    internal static bool AllowsRedrawing(Func<string, string?> environment) =>
        string.IsNullOrEmpty(environment("NO_COLOR")) && string.IsNullOrEmpty(environment("CI")) && environment("TERM") is not (null or "" or "dumb");

    private static int ScreenWidth()
    {
        try
        {
            return Console.IsOutputRedirected && Console.IsErrorRedirected ? DefaultWidth : Math.Clamp(Console.WindowWidth, 40, 200);
        }
        catch (IOException)
        {
            return DefaultWidth;
        }
    }
}
