using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
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
        CheckNoiseLayers(defend.Arguments.NoiseLayers, session.LayerCount);
        var pairs = ReadPairs(defend, session, terminal);
        var retain = defend.Retain is null ? [] : ReadTexts(run, defend.Retain, "retain", session, completionOnly: true);
        return parameters => new PairObjective(parameters, pairs, retain, session.PadId, defend.Arguments);
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

    private static IReadOnlyList<TokenExample> ReadTexts(
        TrainingRun run, string path, string what, TrainingSession session, bool completionOnly)
    {
        var options = new ExampleOptions
        {
            TextField = run.TextField,
            PromptField = run.PromptField,
            AnswerField = run.AnswerField,
            Template = Handling.TemplateOf(run),
        };
        var data = ExampleReader.Read(path, options);
        var (examples, summary) = ExampleTokenizer.Tokenize(data.Examples, session.Encode, session.Tokenization(completionOnly));
        session.Describe(what, path, summary, data.HarmlessRows);
        return examples;
    }
}
