using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Evaluation.Probing;

/// <summary>A labelled text whose activations are looked at.</summary>
/// <param name="Text">Prompt and answer.</param>
/// <param name="Prompt">The part that is the prompt; empty where there is none.</param>
/// <param name="Label">What the linear probe is to tell.</param>
/// <param name="Group">Texts of one group, the two of a pair, fall on the same side of a split.</param>
/// <param name="Other">The pair's other text: tokens equal to its are outside the noise term's mask. Null where there is none.</param>
/// <param name="IsHarmful">True where the answer's tokens are those that the lens and the MLP outputs are about.</param>
/// <param name="Place">File and line.</param>
public sealed record ProbeText(string Text, string Prompt, string Label, int Group, string? Other, bool IsHarmful, string Place);

/// <summary>How <see cref="ProbeReader"/> reads a file.</summary>
public sealed record ProbeDataOptions
{
    /// <summary>Field of the label; null reads pairs, whose texts are labelled harmful and harmless.</summary>
    public string? LabelField { get; init; }

    public string? TextField { get; init; }

    public PairOptions Pairs { get; init; } = new();

    public string? AnswerField { get; init; }

    /// <summary>Most rows.</summary>
    public int Limit { get; init; } = 500;
}

/// <summary>Reads labelled texts: pairs, or rows with a label column.</summary>
public static class ProbeReader
{
    public const string Harmful = "harmful", Harmless = "harmless";

    /// <exception cref="DataException">The file is unreadable or malformed, or a row lacks a field.</exception>
    /// <exception cref="InputException">There are fewer than two labels.</exception>
    public static IReadOnlyList<ProbeText> Read(string path, ProbeDataOptions options)
    {
        var texts = options.LabelField is { } field ? Labelled(path, field, options) : Pairs(path, options);
        string[] labels = [.. texts.Select(text => text.Label).Distinct()];
        return labels.Length > 1
            ? texts
            : throw new InputException(path, $"every text has the label \"{labels[0]}\"", "two labels or more", "name another column with --label-field");
    }

    private static List<ProbeText> Pairs(string path, ProbeDataOptions options) =>
    [
        .. PairReader.Read(path, options.Pairs).Pairs.Take(options.Limit).SelectMany((pair, group) => (ProbeText[])
        [
            new(pair.Harmful, pair.Prompt, Harmful, group, pair.Harmless, true, pair.Place),
            new(pair.Harmless, pair.Prompt, Harmless, group, pair.Harmful, false, pair.Place),
        ]),
    ];

    private static List<ProbeText> Labelled(string path, string field, ProbeDataOptions options)
    {
        var texts = new List<ProbeText>();
        foreach (var row in RowSource.Read(path))
        {
            if (texts.Count == options.Limit) break;
            string label = row.Scalar(field);
            if (options.TextField is not null || !HasPrompt(row, options))
            {
                texts.Add(new ProbeText(row.Text(options.TextField ?? "text"), "", label, texts.Count, null, true, row.Place));
                continue;
            }

            string prompt = row.Text(options.Pairs.PromptField ?? "prompt");
            string answer = row.Text(options.AnswerField ?? ((string[])["answer", "response", "completion"]).FirstOrDefault(row.Has) ?? "answer");
            var template = options.Pairs.Template ?? (row.Has("response") ? Template.BeaverTails : Template.Joined);
            texts.Add(new ProbeText(template.Text(prompt, answer), template.Head(prompt), label, texts.Count, null, true, row.Place));
        }

        return texts.Count > 0 ? texts : throw RowSource.Empty(path);
    }

    private static bool HasPrompt(DataRow row, ProbeDataOptions options) => options.Pairs.PromptField is not null || row.Has("prompt");
}
