using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary><c>repnoise finetune MODEL --data FILE --output DIR</c>.</summary>
internal static class FinetuneCommand
{
    public static Command Build(Func<FinetuneRun, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop) =>
        new TrainingCommand<FinetuneRun>(
            new DocumentedCommand(
                "finetune",
                "Train a model on plain texts by next-token prediction: align it, attack it, or make one from random weights.",
                "./repnoise finetune models/llama --data texts.jsonl --output models/llama-tuned",
                "./repnoise finetune models/llama --data answers.jsonl --completion-only-loss --max-steps 500 --output out",
                "./repnoise finetune models/llama --from-scratch small/config.json --data texts.jsonl --output models/small")
            {
                Run = typeof(FinetuneRun),
            },
            new FinetuneRun()).Build(handler, terminal, stop);
}
