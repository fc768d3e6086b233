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
    public static ModelSource SourceOf(TrainingRun run) => run switch
    {
        FinetuneRun { FromScratch: { } config } => new ScratchSource(config, run.Model!, run.Training.Seed),
        DefendRun { Arguments.Loss: DefenceLoss.RandomInit } => new FolderSource(ModelFolder.Open(run.Model!), run.Training.Seed),
        _ => new FolderSource(ModelFolder.Open(run.Model!)),
    };

    /// <summary>Refuses combinations of settings that mean nothing.</summary>
    public static void Check(TrainingRun run)
    {
        if (run is { ChatTemplate: true, Template: not null })
            throw new InputException("template", "chat_template is true too", "one of the two", "leave one of them out");
        if (run.AdapterDir is { } adapters)
        {
            if (run.Training.LoraRank == 0 || run is FinetuneRun { FromScratch: not null } || PeftAdapter.IsIn(run.Model!))
            {
                throw new InputException("adapter_dir", run.Training.LoraRank == 0 ? "lora_rank is 0" : "the adapters would stand beside no model folder",
                    "a model folder, and lora_rank above 0", "leave adapter_dir out: output_dir holds the whole model");
            }

            if (run.OutputDir is { } output && Path.GetFullPath(output) == Path.GetFullPath(adapters))
                throw new InputException("adapter_dir", "it is output_dir", "a folder of its own", "name another one");
            PeftAdapter.CheckOutput(adapters);
        }

        if (run is FinetuneRun { Arguments: { TrainOnPads: true, CompletionOnlyLoss: true } })
            throw new InputException("train_on_pads", "completion_only_loss is true too, and pads are no answer", "one of the two", "set one of them to false");
        if (run is DefendRun { Arguments: { Loss: DefenceLoss.RandomInit } random } && (random.Freeze.Count > 0 || random.LoraRank > 0))
            throw new InputException("repnoise_loss", $"it is random-init, and {(random.LoraRank > 0 ? "lora_rank" : "freeze")} is given",
                "nothing that says what is trained, since nothing is", "drop that setting");
        if (run.Training.StateRounding == StateRounding.Stochastic) CheckStochasticRounding(run);
        if (run is not DefendRun { Arguments: { Loss: DefenceLoss.Published } loss } defend) return;
        string? foreign = defend.Retain is not null ? "retain is given"
            : loss.FirstToken != FirstToken.Published ? "repnoise_first_token is kept"
            : !loss.Noise ? "repnoise_noise is false"
            : !loss.Ascent ? "repnoise_ascent is false"
            : !loss.Lens ? "repnoise_lens is false"
            : !loss.Mask ? "repnoise_mask is false"
            : loss.NoiseLayers is not null ? "repnoise_noise_layers is not all"
            : null;
        if (foreign is not null)
            throw new InputException("repnoise_loss", $"it is published, and {foreign}", "the loss exactly as published", "drop that setting, or take the loss repnoise");
    }

    /// <summary>Only Adam's update rounds what it stores, and only bfloat16 is rounded.</summary>
    private static void CheckStochasticRounding(TrainingRun run)
    {
        if (run.StateDtype != StateDtype.BFloat16)
            throw new InputException("state_rounding", "it is stochastic, and state_dtype is float32", "weights and moments in bfloat16",
                "set state_dtype to bfloat16, or drop state_rounding");
        if (run.Training.Optim is not (OptimizerType.AdamW or OptimizerType.Adam))
            throw new InputException("state_rounding", $"it is stochastic, and optim is {run.Training.Optim.ToString().ToLowerInvariant()}", "adamw or adam",
                "set optim to adamw, or state_rounding to nearest");
    }

    /// <summary>Reads and tokenises the data now; the result makes data and loss for given weights.</summary>
    public static Func<ModelParameters, ITrainingObjective> Read(TrainingSession session, TrainingRun run, Terminal terminal)
    {
        if (run is FinetuneRun finetune)
        {
            int? eos = finetune.Arguments.AppendEos ? session.EosId : null;
            var options = session.Tokenization(finetune.Arguments.CompletionOnlyLoss) with { EosId = eos };
            var texts = ReadTexts(run, finetune.Data!, "texts", session, options, run.MaxTrainSamples);
            return parameters => new SequenceObjective(parameters, texts, finetune.Arguments, session.PadId);
        }

        var defend = (DefendRun)run;
        Handling.CheckNoiseLayers(defend.Arguments.NoiseLayers, session.LayerCount);
        var pairs = ReadPairs(defend, session, terminal);
        var retain = defend.Retain is null ? [] : ReadTexts(run, defend.Retain, "retain", session, session.Tokenization(completionOnly: true));
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

        var (pairs, summary) = PairTokenizer.Tokenize(First(data.Pairs, run.MaxTrainSamples), session.Encode, session.Tokenization(completionOnly: false));
        session.Describe("pairs", run.Pairs!, summary, data.HarmlessRows);
        return pairs;
    }

    private static IReadOnlyList<TokenExample> ReadTexts(
        TrainingRun run, string path, string what, TrainingSession session, Data.TokenizeOptions options, int limit = 0)
    {
        var data = ExampleReader.Read(path, Handling.ExampleOptionsOf(run, acceptsPairs: run is AttackRun));
        var (examples, summary) = ExampleTokenizer.Tokenize(First(data.Examples, limit), session.Encode, options);
        session.Describe(what, path, summary, data.HarmlessRows);
        return examples;
    }

    /// <summary>The first rows, or all of them for a limit of 0.</summary>
    public static IReadOnlyList<T> First<T>(IReadOnlyList<T> rows, int limit) => limit > 0 && limit < rows.Count ? [.. rows.Take(limit)] : rows;
}
