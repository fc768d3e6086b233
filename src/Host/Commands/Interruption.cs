using System.Runtime.InteropServices;

namespace RepNoise.Host.Commands;

/// <summary>
/// Ctrl-C and SIGTERM. The first asks the command to finish its step and save; the second ends the process at once.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private const string ShowCursor = "\u001b[?25h";

    private readonly CancellationTokenSource source = new();
    private readonly Terminal terminal;
    private readonly PosixSignalRegistration[] registrations;
    private int signals;

    public Interruption(Terminal terminal)
    {
        this.terminal = terminal;
        registrations = [PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal), PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal)];
    }

    /// <summary>Set by the first signal.</summary>
    public CancellationToken Token => source.Token;

    public void Dispose()
    {
        foreach (var registration in registrations)
        {
            registration.Dispose();
        }

        source.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref signals) == 1)
        {
            terminal.Error.WriteLine("\nStopping after this step; once more to end at once.");
            source.Cancel();
            return;
        }

        if (terminal.IsLive)
        {
            terminal.Error.Write(ShowCursor);
        }

        Environment.Exit(ExitCodes.Interrupted);
    }
}
