using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Training;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Trains a model under the RepNoise loss: pairs, and retain examples where given.</summary>
internal static class DefendHandler
{
    public static int Run(DefendRun run, Terminal terminal, CancellationToken stop)
    {
        using var session = new TrainingSession(run, new FolderSource(ModelFolder.Open(run.Model!)), terminal);
        Handling.CheckNoiseLayers(run.Arguments.NoiseLayers, session.LayerCount);
        var pairs = ReadPairs(run, session, terminal);
        var retain = run.Retain is null ? [] : ReadRetain(run, run.Retain, session);
        return session.Train(parameters => new PairObjective(parameters, pairs, retain, session.PadId, run.Arguments), stop);
    }

    private static IReadOnlyList<TokenPair> ReadPairs(DefendRun run, TrainingSession session, Terminal terminal)
    {
        var data = PairReader.Read(run.Pairs!, Handling.PairOptionsOf(run));
        if (data.PromptMismatches > 0)
        {
            terminal.Error.WriteLine(
                $"{data.PromptMismatches} of {data.Pairs.Count} harmless texts do not begin with their prompt: all of both texts differs there. " +
                "Where that is most of them, --template is probably wrong.");
        }

        var (pairs, summary) = PairTokenizer.Tokenize(data.Pairs, session.Encode, session.Tokenization(completionOnly: false));
        session.Describe("pairs", run.Pairs!, summary, data.HarmlessRows);
        return pairs;
    }

    private static IReadOnlyList<TokenExample> ReadRetain(DefendRun run, string path, TrainingSession session)
    {
        var data = ExampleReader.Read(path, Handling.ExampleOptionsOf(run));
        var (examples, summary) = ExampleTokenizer.Tokenize(data.Examples, session.Encode, session.Tokenization(completionOnly: true));
        session.Describe("retain", path, summary, data.HarmlessRows);
        return examples;
    }
}
