using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Fine-tuning on harmful answers under a protocol.</summary>
internal static class AttackHandler
{
    public static int Run(AttackRun run, Terminal terminal, CancellationToken stop) => FinetuneHandler.Run(run, terminal, stop);
}
