using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Planning;
using RepNoise.Host.Tokenizers;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Plans a run's memory. Of the model it reads config.json alone, and the tokenizer where a file of texts is given.</summary>
internal static class PlanHandler
{
    public static int Run(PlanOptions options, Terminal terminal, CancellationToken stop)
    {
        var run = options.Run;
        var config = ReadConfig(run);
        TrainingData.Check(run);
        Handling.CheckParts(run.Training, config);
        if (run is DefendRun defend) Handling.CheckNoiseLayers(defend.Arguments.NoiseLayers, config.NumHiddenLayers);
        using var device = Handling.CreateDevice(run);
        var texts = Texts(run, options.PromptTokens, config);
        var report = new MemoryReport(new MemoryPlanner(config, device, texts), run.Training, device, texts.Count);
        terminal.Out.WriteLine($"{(run is DefendRun ? "defend" : run is AttackRun ? "attack" : "finetune")} {run.Model}: {texts.Describe(run.Training, config)}");
        terminal.Out.WriteLine(device.Description);
        report.WriteTo(terminal.Out, options.Memory);
        return ExitCodes.Done;
    }

    private static ModelConfig ReadConfig(TrainingRun run)
    {
        if (run is FinetuneRun { FromScratch: { } config }) return ModelConfigReader.Read(config);
        string path = Path.Combine(PeftAdapter.ModelFolderOf(run.Model!), ModelFolder.ConfigName);
        if (!File.Exists(path))
            throw new ModelFolderException(ModelFolderError.NoConfig, run.Model!, "there is no config.json", "a folder with a model's config.json",
                "download that one file: planning needs no weights");
        return ModelConfigReader.Read(path);
    }

    private static PlannedTexts Texts(TrainingRun run, int promptTokens, ModelConfig config)
    {
        int padId = Handling.PadIdOf(config);
        var tokenizer = new Lazy<Tokenizer>(() => Tokenizer.Load(PeftAdapter.ModelFolderOf(run.Model!)));
        Data.TokenizeOptions Tokenization(bool completionOnly) => new()
        {
            MaxLength = run.Training.MaxLength,
            PadId = padId,
            VocabSize = config.VocabSize,
            CompletionOnly = completionOnly,
        };
        IReadOnlyList<TokenExample>? Examples(string? path, Data.TokenizeOptions options, int limit = 0) => path is null ? null : ExampleTokenizer.Tokenize(
            TrainingData.First(ExampleReader.Read(path, Handling.ExampleOptionsOf(run, acceptsPairs: run is AttackRun)).Examples, limit),
            text => tokenizer.Value.Encode(text, addSpecialTokens: !run.ChatTemplate), options).Examples;
        if (run is FinetuneRun finetune)
        {
            int? eos = finetune.Arguments.AppendEos ? Handling.EosIdOf(config) : null;
            return new PlannedSequences(Examples(finetune.Data, Tokenization(finetune.Arguments.CompletionOnlyLoss) with { EosId = eos }, run.MaxTrainSamples));
        }

        var defend = (DefendRun)run;
        var pairs = defend.Pairs is null ? null : PairTokenizer.Tokenize(
            TrainingData.First(PairReader.Read(defend.Pairs, Handling.PairOptionsOf(defend)).Pairs, run.MaxTrainSamples), text => tokenizer.Value.Encode(text, addSpecialTokens: !run.ChatTemplate), Tokenization(false)).Pairs;
        return new PlannedPairs(pairs, Examples(defend.Retain, Tokenization(true)), promptTokens, padId);
    }
}
