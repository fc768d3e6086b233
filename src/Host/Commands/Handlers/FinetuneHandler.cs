using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Training;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Plain next-token training of a folder's model, or of random weights under a config.json.</summary>
internal static class FinetuneHandler
{
    public static int Run(FinetuneRun run, Terminal terminal, CancellationToken stop)
    {
        ModelSource source = run.FromScratch is { } config
            ? new ScratchSource(config, run.Model!, run.Arguments.Seed)
            : new FolderSource(ModelFolder.Open(run.Model!));
        using var session = new TrainingSession(run, source, terminal);
        var data = ExampleReader.Read(run.Data!, Handling.ExampleOptionsOf(run));
        var tokenization = session.Tokenization(run.Arguments.CompletionOnlyLoss);
        var (examples, summary) = ExampleTokenizer.Tokenize(data.Examples, session.Encode, tokenization);
        session.Describe("texts", run.Data!, summary, data.HarmlessRows);
        return session.Train(parameters => new SequenceObjective(parameters, examples, run.Arguments), stop);
    }
}
