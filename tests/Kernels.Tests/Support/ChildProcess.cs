using System.Diagnostics;

namespace RepNoise.Kernels.Tests.Support;

/// <summary>Runs tests of this program in a process of their own: the libcuda stand-in reads its settings where it is loaded.</summary>
internal static class ChildProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    /// <summary>Runs the tests and fails where one of them does.</summary>
    /// <param name="filter">Options of the runner: which tests.</param>
    /// <param name="variables">Set in that process.</param>
    /// <returns>What it printed.</returns>
    public static async Task<string> Run(IReadOnlyList<string> filter, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, ["-noColor", .. filter]) { RedirectStandardOutput = true };
        foreach (var (name, value) in variables) start.Environment[name] = value;
        using var child = Process.Start(start)!;
        var stop = TestContext.Current.CancellationToken;
        try
        {
            string output = await child.StandardOutput.ReadToEndAsync(stop).WaitAsync(Patience, stop);
            await child.WaitForExitAsync(stop).WaitAsync(Patience, stop);
            Assert.True(child.ExitCode == 0, output);
            return output;
        }
        finally
        {
            child.Kill(entireProcessTree: true);
        }
    }
}
