using System.Diagnostics;
using System.Globalization;

namespace RepNoise.Reliability;

/// <summary>Exit code and both outputs of a process.</summary>
internal sealed record ChildResult(int Code, string Out, string Error);

/// <summary>The program <c>repnoise</c> in a process of its own, which may be signalled and killed.</summary>
internal sealed class Child : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly Process process;
    private readonly Task<string> output;
    private readonly Task<string> error;

    private Child(Process process)
    {
        this.process = process;
        output = process.StandardOutput.ReadToEndAsync();
        error = process.StandardError.ReadToEndAsync();
    }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <summary>Starts <c>repnoise ARGUMENTS</c>.</summary>
    public static Child Start(params string[] arguments) => StartAfter(null, arguments);

    /// <summary>Starts <c>repnoise ARGUMENTS</c> in a shell's place, which has run <paramref name="shell"/>: <c>ulimit -f 100</c>.</summary>
    public static Child StartAfter(string? shell, params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "repnoise");
        var start = shell is null
            ? new ProcessStartInfo(program, arguments)
            : new ProcessStartInfo("/bin/bash", ["-c", shell + "\nexec \"$0\" \"$@\"", program, .. arguments]);
        (start.RedirectStandardOutput, start.RedirectStandardError, start.RedirectStandardInput) = (true, true, true);
        return new Child(Process.Start(start)!);
    }

    /// <summary>Starts and waits to the end.</summary>
    public static ChildResult Run(params string[] arguments)
    {
        using var child = Start(arguments);
        return child.Wait();
    }

    /// <summary>Waits until the process has ended.</summary>
    /// <exception cref="TimeoutException">It did not within two minutes.</exception>
    public ChildResult Wait() => process.WaitForExit(Patience)
        ? new ChildResult(process.ExitCode, output.Result, error.Result)
        : throw new TimeoutException($"process {Id} did not end within {Patience.TotalMinutes} minutes");

    /// <summary>Sends a signal by its name: <c>TERM</c>, <c>INT</c>.</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("/bin/kill", ["-" + name, Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>SIGKILL: nothing in the process learns of it.</summary>
    public void Kill() => process.Kill();

    /// <summary>Waits for something that the process does.</summary>
    /// <returns>False where the process ended before.</returns>
    /// <exception cref="TimeoutException">It did not happen within two minutes.</exception>
    public bool Until(Func<bool> seen, bool busy = false)
    {
        var waited = Stopwatch.StartNew();
        while (!seen())
        {
            if (process.HasExited) return false;
            if (waited.Elapsed > Patience) throw new TimeoutException($"process {Id} did not do what was waited for");
            if (!busy) Thread.Sleep(1);
        }

        return true;
    }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill();
        process.Dispose();
    }
}
