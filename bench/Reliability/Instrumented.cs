using System.Diagnostics;

namespace RepNoise.Reliability;

/// <summary>
/// A copy of this program whose parsers count the branches they take: SharpFuzz rewrites the program's own code and the libraries
/// that read YAML and Parquet. The copy runs in a process of its own, in a temporary folder.
/// </summary>
internal static class Instrumented
{
    /// <summary>Tells the copy that it is one.</summary>
    public const string ConnectedOption = "--instrumented";

    /// <summary>The parsers' namespaces; the rest of the program would only slow them down.</summary>
    private static readonly string[] Parsers =
    [
        "RepNoise.Host.Checkpoints.", "RepNoise.Host.Configuration.", "RepNoise.Host.Data.", "RepNoise.Host.Tokenizers.", "RepNoise.Host.Resuming.",
        "RepNoise.Host.Experiments.Yaml", "YamlDotNet.Core.", "Parquet.",
    ];

    /// <summary>Copies, rewrites and starts the program with the same line.</summary>
    public static int Relaunch(string[] arguments)
    {
        string copy = Directory.CreateTempSubdirectory("repnoise-fuzz-").FullName;
        try
        {
            RunFiles.Copy(AppContext.BaseDirectory, copy);
            foreach (string name in (string[])["repnoise.dll", "YamlDotNet.dll", "Parquet.dll"])
                _ = SharpFuzz.Fuzzer.Instrument(Path.Combine(copy, name), type => Parsers.Any(part => type.StartsWith(part, StringComparison.Ordinal)), SharpFuzz.Options.Value).Count();
            using var process = Process.Start(new ProcessStartInfo(Path.Combine(copy, "Reliability"), [.. arguments, ConnectedOption]))!;
            process.WaitForExit();
            return process.ExitCode;
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    /// <summary>In the copy, before any parser runs: gives the rewritten code its counters.</summary>
    public static unsafe Coverage Connect()
    {
        var coverage = new Coverage();
        SharpFuzz.Common.Trace.SharedMem = coverage.Counters;
        return coverage;
    }
}
