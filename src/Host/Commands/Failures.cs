using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;

namespace RepNoise.Host.Commands;

/// <summary>Turns whatever a command throws into one message and an exit code.</summary>
internal static class Failures
{
    /// <summary>Set to 1, it adds the stack trace to every failure's message.</summary>
    public const string TraceVariable = "REPNOISE_TRACE";

    /// <summary>Runs <paramref name="command"/> and reports its failure on <paramref name="terminal"/>'s error stream.</summary>
    /// <returns>
    /// The command's own code; <see cref="ExitCodes.Interrupted"/> where it was stopped, also when it ended well because it saved.
    /// </returns>
    public static int Guard(Func<int> command, Terminal terminal, CancellationToken stop)
    {
        try
        {
            var code = command();
            return code == ExitCodes.Done && stop.IsCancellationRequested ? ExitCodes.Interrupted : code;
        }
        catch (OutputClosedException)
        {
            return ExitCodes.Done;
        }
#pragma warning disable CA1031 // The outermost frame: every failure ends here as a message.
        catch (Exception error)
#pragma warning restore CA1031
        {
            var (code, message) = Describe(error);
            terminal.Error.WriteLine("repnoise: " + message);
            if (Environment.GetEnvironmentVariable(TraceVariable) == "1")
            {
                terminal.Error.WriteLine(error);
            }

            return code;
        }
    }

    internal static (int Code, string Message) Describe(Exception error) => error switch
    {
        UsageException => (ExitCodes.Usage, error.Message),
        InputException or DeviceException => (ExitCodes.Failed, error.Message),
        OperationCanceledException => (ExitCodes.Interrupted, "interrupted"),
        IOException or UnauthorizedAccessException => (ExitCodes.Failed, OneLine(error.Message)),
        OutOfMemoryException => (ExitCodes.Failed, "not enough memory; set gradient_checkpointing, or lower per_device_train_batch_size or max_length; repnoise plan says what each saves"),
        _ => (ExitCodes.Failed,
            $"unexpected {error.GetType().Name}: {OneLine(error.Message)} This is a bug: run with {TraceVariable}=1 for the trace and report it."),
    };

    private static string OneLine(string message) => string.Join(' ', message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}
