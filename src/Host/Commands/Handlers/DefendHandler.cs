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
        CheckNoiseLayers(run.Arguments.NoiseLayers, session.LayerCount);
        var pairs = ReadPairs(run, session, terminal);
        var retain = run.Retain is null ? [] : ReadRetain(run, run.Retain, session);
        return session.Train(parameters => new PairObjective(parameters, pairs, retain, session.PadId, run.Arguments), stop);
    }

    private static void CheckNoiseLayers((int First, int Last)? range, int layers)
    {
        if (range is var (first, last) && last >= layers)
            throw new InputException("repnoise_noise_layers", $"it is {first}-{last}", $"layers 0-{layers - 1}, which the model has",
                "name layers of this model, or all");
    }

    private static IReadOnlyList<TokenPair> ReadPairs(DefendRun run, TrainingSession session, Terminal terminal)
    {
        var options = new PairOptions
        {
            Layout = run.PairFormat,
            PromptField = run.PromptField,
            HarmfulField = run.HarmfulField,
            HarmlessField = run.HarmlessField,
            Template = Handling.TemplateOf(run),
        };
        var data = PairReader.Read(run.Pairs!, options);
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
        var options = new ExampleOptions
        {
            TextField = run.TextField,
            PromptField = run.PromptField,
            AnswerField = run.AnswerField,
            Template = Handling.TemplateOf(run),
        };
        var data = ExampleReader.Read(path, options);
        var (examples, summary) = ExampleTokenizer.Tokenize(data.Examples, session.Encode, session.Tokenization(completionOnly: true));
        session.Describe("retain", path, summary, data.HarmlessRows);
        return examples;
    }
}
