using System.Diagnostics;
using System.IO.Pipes;
using RepNoise.Host.Commands;

namespace RepNoise.Host.Tests.Cli;

public sealed class StreamTests
{
    [Fact]
    public void Writing_to_a_reader_that_has_gone_ends_the_command_quietly()
    {
        using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        pipe.DisposeLocalCopyOfClientHandle();
        using var output = new StreamWriter(new StandardOutput(new FileStream(Handle(pipe), FileAccess.Write, bufferSize: 0))) { AutoFlush = true };
        using var error = new StringWriter();
        var code = Failures.Guard(
            () =>
            {
                output.WriteLine("nobody reads this");
                return ExitCodes.Failed;
            },
            new Terminal(TextReader.Null, output, error),
            CancellationToken.None);
        Assert.Equal(ExitCodes.Done, code);
        Assert.Empty(error.ToString());
    }

    [Fact]
    public void The_first_signal_asks_to_stop_and_ends_nothing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send");
        using var error = new StringWriter();
        using var interruption = new Interruption(new Terminal(TextReader.Null, TextWriter.Null, error));
        Assert.False(interruption.Token.IsCancellationRequested);
        using var kill = Process.Start("kill", ["-TERM", Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        Assert.True(interruption.Token.WaitHandle.WaitOne(TimeSpan.FromSeconds(20)));
        Assert.Contains("Stopping after this step", error.ToString(), StringComparison.Ordinal);
        kill.WaitForExit();
    }

    private static Microsoft.Win32.SafeHandles.SafeFileHandle Handle(AnonymousPipeServerStream pipe) =>
        new(pipe.SafePipeHandle.DangerousGetHandle(), ownsHandle: false);
}
