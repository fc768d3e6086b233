using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;

namespace RepNoise.Host.Evaluation;

/// <summary>How a model is made to answer.</summary>
public sealed record AnsweringOptions
{
    /// <summary>50, as in the paper.</summary>
    public int MaxNewTokens { get; init; } = 50;

    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Takes the sampling that the model folder's generation_config.json asks for, but for what <see cref="Given"/> names.</summary>
    public bool FromModel { get; init; }

    /// <summary>Which members of <see cref="Sampling"/> hold whatever generation_config.json says.</summary>
    public GivenSampling Given { get; init; } = new(false, false, false, false);

    /// <summary>Prompts are written with the model folder's chat template and hold their special tokens already.</summary>
    public bool ChatTemplate { get; init; }

    /// <summary>Texts that grow at a time; no text depends on it.</summary>
    public int BatchSize { get; init; } = 8;

    internal GenerationSettings Settings => new(MaxNewTokens, Sampling.Temperature, Sampling.TopK, Sampling.TopP, Sampling.RepetitionPenalty, Sampling.Seed, ChatTemplate);

    /// <summary>The same with nothing left to the model folder.</summary>
    /// <exception cref="UsageException">A given value has no effect, since the folder asks for greedy text.</exception>
    public AnsweringOptions For(GenerationConfig config)
    {
        if (!FromModel) return this;
        var sampling = Sampling with
        {
            Temperature = Given.Temperature ? Sampling.Temperature : config.DoSample ? config.Temperature : 0,
            RepetitionPenalty = Given.RepetitionPenalty ? Sampling.RepetitionPenalty : config.RepetitionPenalty,
        };
        bool samples = sampling.Temperature > 0;
        if (!samples && (Given.TopK || Given.TopP))
        {
            throw new UsageException(
                Given.TopK ? "--top-k" : "--top-p", "has no effect: generation_config.json asks for greedy text", "a temperature above 0 beside it", "give --temperature, or leave it out");
        }

        return this with
        {
            FromModel = false,
            Sampling = sampling with
            {
                TopK = Given.TopK ? Sampling.TopK : samples ? config.TopK : 0,
                TopP = Given.TopP ? Sampling.TopP : samples ? config.TopP : 1,
            },
        };
    }
}

/// <summary>Which sampling values were given, rather than left to their defaults.</summary>
public sealed record GivenSampling(bool Temperature, bool TopK, bool TopP, bool RepetitionPenalty);

/// <summary>A generated answer.</summary>
/// <param name="Text">Its text, the space after the prompt included.</param>
/// <param name="Ids">Its tokens.</param>
public sealed record GeneratedText(string Text, int[] Ids);

/// <summary>Lets a model answer prompts.</summary>
public static class Answering
{
    /// <summary>Answers to all prompts, in their order. Prompt i draws from random stream i.</summary>
    /// <param name="model">Who answers.</param>
    /// <param name="prompts">Prompts and where they come from.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told the number of prompts that are answered, or null.</param>
    /// <param name="stop">Ends the generation with an exception.</param>
    /// <exception cref="InputException">A prompt is empty or too long.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static IReadOnlyList<GeneratedText> Generate(
        LoadedModel model, IReadOnlyList<(string Prompt, string Place)> prompts, AnsweringOptions options, Action<int>? progress, CancellationToken stop)
    {
        int[][] ids = [.. prompts.Select(prompt => model.EncodePrompt(prompt.Prompt, prompt.Place, special: !options.ChatTemplate))];
        int longest = (int)Math.Min(ids.Max(p => p.Length) + (long)options.MaxNewTokens, model.MaxTokens);
        using var generator = new Generator(model.Parameters, Math.Min(options.BatchSize, ids.Length), longest);
        int done = 0;
        var added = generator.Generate(
            ids, options.MaxNewTokens, options.Sampling, model.Generation.EosTokenIds, onEnd: _ => progress?.Invoke(++done), stop: stop);
        stop.ThrowIfCancellationRequested();
        return [.. ids.Select((prompt, i) => new GeneratedText(model.Continuation(prompt, added[i]), added[i]))];
    }
}
