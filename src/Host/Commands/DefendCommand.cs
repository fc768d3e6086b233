using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary><c>repnoise defend MODEL --pairs FILE --output DIR</c>.</summary>
internal static class DefendCommand
{
    public static Command Build(Func<DefendRun, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop) =>
        new TrainingCommand<DefendRun>(
            new DocumentedCommand(
                "defend",
                "Harden a model against harmful fine-tuning: train it on pairs of a harmful and a harmless answer, save a defended folder.",
                "./repnoise defend models/llama --pairs pairs.jsonl --output models/llama-defended",
                "./repnoise defend models/llama --pairs pairs.jsonl --retain harmless.jsonl --first-token kept --output out",
                "./repnoise defend --config run.yaml --learning-rate 1e-4 --beta 0.01",
                "./repnoise defend --config run.yaml --resume-from-checkpoint true",
                "./repnoise defend --config run.yaml --check")
            {
                Run = typeof(DefendRun),
            },
            new DefendRun()).Build(handler, terminal, stop);
}
