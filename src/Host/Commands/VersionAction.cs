using System.CommandLine;
using System.CommandLine.Invocation;
using System.Reflection;

namespace RepNoise.Host.Commands;

/// <summary><c>--version</c>: the version and, where the build knew it, the commit.</summary>
internal sealed class VersionAction(Terminal terminal) : SynchronousCommandLineAction
{
    private const int ShortCommit = 10;

    /// <summary>This program's version and commit.</summary>
    public static string Current => Text(
        typeof(VersionAction).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion);

    public override bool Terminating => true;

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        terminal.Out.WriteLine("repnoise " + Current);
        return ExitCodes.Done;
    }

    /// <summary><c>1.2.3+commit</c> as people read it: <c>1.2.3 (commit ...)</c>.</summary>
    internal static string Text(string informational) => informational.Split('+') switch
    {
        [var version, var commit] => $"{version} (commit {commit[..Math.Min(ShortCommit, commit.Length)]})",
        _ => informational,
    };
}
