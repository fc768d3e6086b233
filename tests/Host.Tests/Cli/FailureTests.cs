using RepNoise.Host.Commands;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Tests.Cli;

public sealed class FailureTests
{
    public static TheoryData<Exception, int, string> Cases => new()
    {
        { new InputException("config.json", "head_dim is \"x\"", "a positive integer", "correct it"), 1,
            "repnoise: config.json: head_dim is \"x\"; expected a positive integer. Correct it.\n" },
        { new UsageException("--x", "is wrong", "better", "do better"), 2, "repnoise: --x: is wrong; expected better. Do better.\n" },
        { new IOException("No space left on device : '/x'"), 1, "repnoise: No space left on device : '/x'\n" },
        { new UnauthorizedAccessException("Access to '/x' is denied."), 1, "repnoise: Access to '/x' is denied.\n" },
        { new OperationCanceledException(), 130, "repnoise: interrupted\n" },
        { new InvalidOperationException("a\nb."), 1,
            "repnoise: unexpected InvalidOperationException: a b. This is a bug: run with REPNOISE_TRACE=1 for the trace and report it.\n" },
        { new OutputClosedException(new IOException("Broken pipe")), 0, "" },
    };

    [Theory]
    [MemberData(nameof(Cases), DisableDiscoveryEnumeration = true)]
    public void A_failure_becomes_one_message_and_a_code(Exception failure, int code, string message)
    {
        var error = new StringWriter { NewLine = "\n" };
        var terminal = new Terminal(TextReader.Null, TextWriter.Null, error);
        Assert.Equal(code, Failures.Guard(() => throw failure, terminal, CancellationToken.None));
        Assert.Equal(message, error.ToString());
    }

    [Theory]
    [InlineData("TERM", "dumb", false)]
    [InlineData("TERM", "xterm", true)]
    [InlineData("NO_COLOR", "1", false)]
    [InlineData("CI", "true", false)]
    public void The_environment_decides_about_redrawing(string name, string value, bool allowed) =>
        Assert.Equal(allowed, Terminal.AllowsRedrawing(key => key == name ? value : key == "TERM" ? "xterm" : null));
}
