using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary><c>repnoise profile MODEL --pairs FILE --steps N</c>.</summary>
internal static class ProfileCommand
{
    public static Command Build(Func<ProfileRun, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop) =>
        new TrainingCommand<ProfileRun>(
            new DocumentedCommand(
                "profile",
                "Run steps of a defence and show where their time goes: by operation beside what this machine could do, by phase and by layer. Saves no model.",
                "./repnoise profile models/llama --pairs pairs.jsonl --steps 10",
                "./repnoise profile models/llama --pairs pairs.jsonl --trace trace.json --json profile.json",
                "./repnoise profile --config run.yaml --threads 1 --kernel matmul=avx2 --overhead")
            {
                Run = typeof(ProfileRun),
            },
            new ProfileRun()).Build(handler, terminal, stop);
}
