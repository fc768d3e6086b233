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

    private readonly ValueOption<ulong> seed = new("--seed", Values.Seed, 42, "Seed of the sampling.", group);

    private readonly ValueOption<int> batchSize = new(
        "--batch-size", Values.PositiveInteger(), 8, "Prompts continued at a time; no text depends on it.", group);

    public Option[] Symbols => [maxNewTokens.Symbol, temperature.Symbol, topK.Symbol, topP.Symbol, seed.Symbol, batchSize.Symbol];

    /// <summary>What the line says of generation.</summary>
    /// <exception cref="UsageException">A value is wrong, or has no effect without sampling.</exception>
    public AnsweringOptions Read(ParseResult line)
    {
        var sampling = new SamplingOptions
        {
            Temperature = temperature.Read(line),
            TopK = topK.Read(line),
            TopP = topP.Read(line),
            Seed = seed.Read(line),
        };
        if (sampling.Temperature == 0 && (sampling.TopK != 0 || sampling.TopP != 1))
        {
            throw new UsageException(
                sampling.TopK != 0 ? "--top-k" : "--top-p", "has no effect at temperature 0", "a temperature above 0 beside it",
                "give --temperature, or leave it out for greedy text");
        }

        return new AnsweringOptions { MaxNewTokens = maxNewTokens.Read(line), Sampling = sampling, BatchSize = batchSize.Read(line) };
    }
}
