using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Trains a model under the RepNoise loss: pairs, and retain examples where given.</summary>
internal static class DefendHandler
{
    public static int Run(DefendRun run, Terminal terminal, CancellationToken stop)
    {
        using var session = new TrainingSession(run, terminal);
        return session.Train(stop);
    }
}
