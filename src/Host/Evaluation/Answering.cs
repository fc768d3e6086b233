using RepNoise.Host.Model;

namespace RepNoise.Host.Evaluation;

/// <summary>How a model is made to answer.</summary>
public sealed record AnsweringOptions
{
    /// <summary>50, as in the paper.</summary>
    public int MaxNewTokens { get; init; } = 50;

    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Texts that grow at a time; no text depends on it.</summary>
    public int BatchSize { get; init; } = 8;

    internal GenerationSettings Settings => new(MaxNewTokens, Sampling.Temperature, Sampling.TopK, Sampling.TopP, Sampling.Seed);
}

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
    /// <exception cref="Diagnostics.InputException">A prompt is empty or too long.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static IReadOnlyList<GeneratedText> Generate(
        LoadedModel model, IReadOnlyList<(string Prompt, string Place)> prompts, AnsweringOptions options, Action<int>? progress, CancellationToken stop)
    {
        int[][] ids = [.. prompts.Select(prompt => model.EncodePrompt(prompt.Prompt, prompt.Place))];
        int longest = (int)Math.Min(ids.Max(p => p.Length) + (long)options.MaxNewTokens, model.MaxTokens);
        using var generator = new Generator(model.Parameters, Math.Min(options.BatchSize, ids.Length), longest);
        int done = 0;
        var added = generator.Generate(
            ids, options.MaxNewTokens, options.Sampling, model.Generation.EosTokenIds, onEnd: _ => progress?.Invoke(++done), stop: stop);
        stop.ThrowIfCancellationRequested();
        return [.. ids.Select((prompt, i) => new GeneratedText(model.Continuation(prompt, added[i]), added[i]))];
    }
}
