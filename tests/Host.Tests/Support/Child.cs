using System.Diagnostics;

namespace RepNoise.Host.Tests.Support;

/// <summary>The program in a process of its own, which a test may signal and kill.</summary>
internal sealed class Child : IDisposable
{
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
    public static Child Start(params string[] arguments) => Start(null, arguments);

    /// <summary>Starts <c>repnoise ARGUMENTS</c>, after <paramref name="shell"/> in the same process where it is given: <c>ulimit -f 100</c>.</summary>
    public static Child Start(string? shell, params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "repnoise");
        var start = shell is null
            ? new ProcessStartInfo(program, arguments)
            : new ProcessStartInfo("/bin/bash", ["-c", shell + "\nexec \"$0\" \"$@\"", program, .. arguments]);
        (start.RedirectStandardOutput, start.RedirectStandardError, start.RedirectStandardInput) = (true, true, true);
        return new Child(Process.Start(start)!);
    }

    /// <summary>Starts and waits to the end.</summary>
    public static ProgramResult Run(params string[] arguments)
    {
        using var child = Start(arguments);
        return child.Wait();
    }

    /// <summary>Waits until the process has ended.</summary>
    public ProgramResult Wait()
    {
        Assert.True(process.WaitForExit(120_000), "the program did not end within two minutes");
        return new ProgramResult(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Sends a signal by its name: <c>TERM</c>, <c>INT</c>, <c>KILL</c>.</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("/bin/kill", ["-" + name, Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>SIGKILL: nothing in the process learns of it.</summary>
    public void Kill() => process.Kill();

    /// <summary>Waits for something that the process does; fails where it ends before.</summary>
    public void Until(Func<bool> seen)
    {
        var deadline = Stopwatch.StartNew();
        while (!seen())
        {
            if (process.HasExited) Assert.Fail("the program ended first: " + error.Result);
            Assert.True(deadline.Elapsed < TimeSpan.FromMinutes(2), "it did not happen within two minutes");
            Thread.Sleep(1);
        }
    }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill();
        process.Dispose();
    }
}
