using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Plain next-token training of a folder's model, or of random weights under a config.json.</summary>
internal static class FinetuneHandler
{
    public static int Run(FinetuneRun run, Terminal terminal, CancellationToken stop)
    {
        using var session = new TrainingSession(run, terminal);
        return session.Train(stop);
    }
}
