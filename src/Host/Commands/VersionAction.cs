using System.CommandLine;
using System.CommandLine.Invocation;
using System.Reflection;
using System.Runtime.InteropServices;

namespace RepNoise.Host.Commands;

/// <summary><c>--version</c>: the version, the commit where the build knew it, how it was built and what it runs on.</summary>
internal sealed class VersionAction(Terminal terminal) : SynchronousCommandLineAction
{
    private const int ShortCommit = 10;

    /// <summary>This program's version and commit.</summary>
    public static string Current => Text(
        typeof(VersionAction).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion);

    /// <summary>How this program was built and what it runs on: <c>Release build, .NET 10.0.1, linux-x64</c>.</summary>
    public static string Build =>
        $"{typeof(VersionAction).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration} build, "
        + $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}";

    public override bool Terminating => true;

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        terminal.Out.WriteLine($"repnoise {Current}, {Build}");
        return ExitCodes.Done;
    }

    /// <summary><c>1.2.3+commit</c> as people read it: <c>1.2.3 (commit ...)</c>.</summary>
    internal static string Text(string informational) => informational.Split('+') switch
    {
        [var version, var commit] => $"{version} (commit {commit[..Math.Min(ShortCommit, commit.Length)]})",
        _ => informational,
    };
}
