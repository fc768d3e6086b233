using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Model;

namespace RepNoise.Host.Commands;

/// <summary>The options of commands that generate text, under the names of generation_config.json.</summary>
internal sealed class GenerationOptions(string group)
{
    private readonly ValueOption<int> maxNewTokens = new("--max-new-tokens", Values.PositiveInteger(), 50, "Longest continuation in tokens.", group);

    private readonly ValueOption<double> temperature = new(
        "--temperature", Values.NotNegative(), 0, "Divides the logits before sampling; 0 is greedy.", group);

    private readonly ValueOption<int> topK = new(
        "--top-k", Values.Integer(0, "an integer, 0 or more"), 0, "Sample among the k most likely tokens; 0 takes all.", group);

    private readonly ValueOption<double> topP = new(
        "--top-p", Values.Real(double.Epsilon, 1, "a number above 0, up to 1"), 1, "Sample among the likeliest tokens of this total probability.", group);

    private readonly ValueOption<double> repetitionPenalty = new(
        "--repetition-penalty", Values.Positive(), 1, "Divides the logits of tokens that stand in the text already; 1 is none.", group);

    private readonly ValueOption<bool> fromModel = new(
        "--generation-config", Values.Boolean, false, "Sample as the model folder's generation_config.json says; options given beside it win.", group);

    private readonly ValueOption<bool> chat = new(
        "--chat-template", Values.Boolean, false, "Put each prompt into the model folder's chat template, as the user's turn.", group);

    private readonly ValueOption<ulong> seed = new("--seed", Values.Seed, 42, "Seed of the sampling.", group);

    private readonly ValueOption<int> batchSize = new(
        "--batch-size", Values.PositiveInteger(), 8, "Prompts continued at a time; no text depends on it.", group);

    public Option[] Symbols =>
    [
        maxNewTokens.Symbol, temperature.Symbol, topK.Symbol, topP.Symbol, repetitionPenalty.Symbol, seed.Symbol, fromModel.Symbol, chat.Symbol, batchSize.Symbol,
    ];

    /// <summary>What the line says of generation.</summary>
    /// <exception cref="UsageException">A value is wrong, or has no effect without sampling.</exception>
    public AnsweringOptions Read(ParseResult line)
    {
        var sampling = new SamplingOptions
        {
            Temperature = temperature.Read(line),
            TopK = topK.Read(line),
            TopP = topP.Read(line),
            RepetitionPenalty = repetitionPenalty.Read(line),
            Seed = seed.Read(line),
        };
        if (sampling.Temperature == 0 && (temperature.IsGiven(line) || !fromModel.Read(line)) && (sampling.TopK != 0 || sampling.TopP != 1))
        {
            throw new UsageException(
                sampling.TopK != 0 ? "--top-k" : "--top-p", "has no effect at temperature 0", "a temperature above 0 beside it",
                "give --temperature, or leave it out for greedy text");
        }

        return new AnsweringOptions
        {
            MaxNewTokens = maxNewTokens.Read(line),
            Sampling = sampling,
            FromModel = fromModel.Read(line),
            Given = new GivenSampling(temperature.IsGiven(line), topK.IsGiven(line), topP.IsGiven(line), repetitionPenalty.IsGiven(line)),
            ChatTemplate = chat.Read(line),
            BatchSize = batchSize.Read(line),
        };
    }
}
