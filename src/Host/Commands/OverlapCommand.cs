using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Commands;

/// <summary>What <c>evaluate overlap</c> was told.</summary>
internal sealed record OverlapOptions
{
    public required IReadOnlyList<string> Defence { get; init; }

    public required IReadOnlyList<string> Attack { get; init; }

    public required IReadOnlyList<string> Test { get; init; }

    /// <summary>Field of the compared text, or null for the prompt.</summary>
    public string? Field { get; init; }

    /// <summary>Jaccard similarity from which on two texts are near duplicates.</summary>
    public double Similarity { get; init; } = 0.5;

    /// <summary>Most examples named for each pair of sets.</summary>
    public int Examples { get; init; } = 5;

    /// <summary>JSON file of the report, or null.</summary>
    public string? Output { get; init; }
}

/// <summary><c>repnoise evaluate overlap</c>.</summary>
internal static class OverlapCommand
{
    public static Command Build(Func<OverlapOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "overlap",
            "Compare the prompts of defence, attack and test data: exact duplicates (case, punctuation and spaces aside) and near ones. "
            + "Held-out questions that the defence or the attack has seen measure memory, not resistance.",
            "./repnoise evaluate overlap --defence pairs.jsonl --attack attack.jsonl --test test.jsonl",
            "./repnoise evaluate overlap --attack attack.json --test test.json --field response --similarity 0.7 --output overlap.json");
        ValueOption<string?> defence = new("--defence", Values.Path, null, "Data of the defence; may be repeated.");
        ValueOption<string?> attack = new("--attack", Values.Path, null, "Data of the attack; may be repeated.");
        ValueOption<string?> test = new("--test", Values.Path, null, "Held-out data; may be repeated.");
        ValueOption<string?> field = new("--field", Values.Text, null, "Field to compare; the prompt (prompt, prompt.text, context, question or text).");
        ValueOption<double> similarity = new("--similarity", Values.Real(0.05, 1, "a number from 0.05 to 1"), 0.5,
            "Near duplicates share this much of their word trigrams (Jaccard), or a run of 13 words.");
        ValueOption<int> examples = new("--examples", Values.Integer(0, "an integer, 0 or more"), 5, "Most examples named for two sets.");
        ValueOption<string?> output = new("--output", Values.Path, null, "Write the report here as JSON, all examples included.");
        command.AddOptions(defence.Symbol, attack.Symbol, test.Symbol, field.Symbol, similarity.Symbol, examples.Symbol, output.Symbol);
        command.SetAction(line => handler(
            Checked(new OverlapOptions
            {
                Defence = [.. defence.ReadAll(line).Select(path => path!)],
                Attack = [.. attack.ReadAll(line).Select(path => path!)],
                Test = [.. test.ReadAll(line).Select(path => path!)],
                Field = field.Read(line),
                Similarity = similarity.Read(line),
                Examples = examples.Read(line),
                Output = output.Read(line),
            }),
            terminal,
            stop));
        return command;
    }

    private static OverlapOptions Checked(OverlapOptions options)
    {
        int sets = Math.Sign(options.Defence.Count) + Math.Sign(options.Attack.Count) + Math.Sign(options.Test.Count);
        return sets >= 2
            ? options
            : throw new UsageException("evaluate overlap", $"{sets} of the three sets are given", "two of --defence, --attack and --test", "name another file");
    }
}
