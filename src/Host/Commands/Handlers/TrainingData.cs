using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Training;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>What a run starts from and trains on: its model, and its data as an objective.</summary>
internal static class TrainingData
{
    /// <summary>The model folder, or random weights under a config.json.</summary>
    public static ModelSource SourceOf(TrainingRun run) => run is FinetuneRun { FromScratch: { } config }
        ? new ScratchSource(config, run.Model!, run.Training.Seed)
        : new FolderSource(ModelFolder.Open(run.Model!));

    /// <summary>Reads and tokenises the data now; the result makes data and loss for given weights.</summary>
    public static Func<ModelParameters, ITrainingObjective> Read(TrainingSession session, TrainingRun run, Terminal terminal)
    {
        if (run is FinetuneRun finetune)
        {
            var texts = ReadTexts(run, finetune.Data!, "texts", session, finetune.Arguments.CompletionOnlyLoss);
            return parameters => new SequenceObjective(parameters, texts, finetune.Arguments);
        }

        var defend = (DefendRun)run;
        Handling.CheckNoiseLayers(defend.Arguments.NoiseLayers, session.LayerCount);
        var pairs = ReadPairs(defend, session, terminal);
        var retain = defend.Retain is null ? [] : ReadTexts(run, defend.Retain, "retain", session, completionOnly: true);
        return parameters => new PairObjective(parameters, pairs, retain, session.PadId, defend.Arguments);
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

    private static IReadOnlyList<TokenExample> ReadTexts(
        TrainingRun run, string path, string what, TrainingSession session, bool completionOnly)
    {
        var data = ExampleReader.Read(path, Handling.ExampleOptionsOf(run));
        var (examples, summary) = ExampleTokenizer.Tokenize(data.Examples, session.Encode, session.Tokenization(completionOnly));
        session.Describe(what, path, summary, data.HarmlessRows);
        return examples;
    }
}
