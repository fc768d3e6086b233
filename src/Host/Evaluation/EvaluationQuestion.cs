using RepNoise.Host.Data;

namespace RepNoise.Host.Evaluation;

/// <summary>A held-out question.</summary>
/// <param name="Index">Its index among the questions that were read: the number of its random stream.</param>
/// <param name="Prompt">What the model is given, template included.</param>
/// <param name="Plain">The same without the turns and special tokens of a chat template: what a judge reads.</param>
/// <param name="Reference">An answer that the data gives: harmful, or right; null where there is none.</param>
/// <param name="Categories">What it counts under; a question may have several, or none.</param>
/// <param name="Fields">Right word of each field of an answer that is checked word by word; empty otherwise.</param>
/// <param name="Place">File and line.</param>
public sealed record EvaluationQuestion(
    int Index, string Prompt, string Plain, string? Reference, IReadOnlyList<string> Categories, IReadOnlyDictionary<string, string> Fields, string Place);

/// <summary>How <see cref="QuestionReader"/> reads a file.</summary>
public sealed record QuestionOptions
{
    /// <summary>Path of the prompt's field; <c>prompt</c>, or <c>prompt.text</c> in DecodingTrust's layout, where null.</summary>
    public string? PromptField { get; init; }

    /// <summary>Path of the reference's field; where null the first of response, continuation.text, harmful, answer, completion.</summary>
    public string? AnswerField { get; init; }

    /// <summary>Field with a text, or object of true/false fields (BeaverTails), that says what a question counts under.</summary>
    public string CategoryField { get; init; } = "category";

    /// <summary>Its part before the answer is the prompt; null takes the layout's own.</summary>
    public Template? Template { get; init; }

    /// <summary>The model's own form of a turn, in place of <see cref="Template"/> for what the model is given; null for none.</summary>
    public Template? Chat { get; init; }

    /// <summary>Most questions, the first of the file; null takes all.</summary>
    public int? Limit { get; init; }
}

/// <summary>Reads questions from JSON arrays, JSON lines or Parquet.</summary>
public static class QuestionReader
{
    private static readonly string[] AnswerFields = ["response", "continuation.text", "harmful", "answer", "completion"];

    /// <summary>
    /// The questions of a file. Of BeaverTails' rows those marked <c>is_safe</c> are left out, of DecodingTrust's those whose type
    /// is not <c>toxic_test</c>.
    /// </summary>
    /// <exception cref="DataException">The file is unreadable or malformed, a row lacks a field, or no question is left.</exception>
    public static IReadOnlyList<EvaluationQuestion> Read(string path, QuestionOptions? options = null)
    {
        options ??= new QuestionOptions();
        var questions = new List<EvaluationQuestion>();
        int rows = 0;
        foreach (var row in RowSource.Read(path))
        {
            if (questions.Count == options.Limit) break;
            rows++;
            if (IsHarmful(row)) questions.Add(ReadRow(row, questions.Count, options));
        }

        if (rows == 0) throw RowSource.Empty(path);
        return questions.Count > 0
            ? questions
            : throw new DataException(DataFault.Empty, path, $"none of its {rows} rows is a harmful question",
                "rows with is_safe false, or of type toxic_test", "check that this is the file of held-out questions");
    }

    private static bool IsHarmful(DataRow row) => HarmfulRows.IsUnsafe(row) && (!row.Has("type") || row.Text("type") == "toxic_test");

    private static EvaluationQuestion ReadRow(DataRow row, int index, QuestionOptions options)
    {
        bool nested = options.PromptField is null && row.Has("prompt.text");
        string prompt = row.Text(options.PromptField ?? (nested ? "prompt.text" : "prompt"));
        var template = options.Template
            ?? (nested ? Template.DecodingTrust : options.PromptField is null && IsBeaverTails(row) ? Template.BeaverTails : Template.Joined);
        string? answer = options.AnswerField ?? AnswerFields.FirstOrDefault(row.Has);
        return new EvaluationQuestion(index, (options.Chat ?? template).Head(prompt), template.Head(prompt), answer is null ? null : row.Scalar(answer),
            Categories(row, options.CategoryField), Fields(row), row.Place);
    }

    private static bool IsBeaverTails(DataRow row) => row.Has("is_safe") || row.Has("response") || row.Has("refusal");

    internal static List<string> Categories(DataRow row, string field)
    {
        if (row.Has(field)) return [row.Scalar(field)];
        string prefix = field + ".";
        return [.. row.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal) && row.Has(name) && row.Scalar(name) == "true")
            .Select(name => name[prefix.Length..])];
    }

    private static Dictionary<string, string> Fields(DataRow row)
    {
        const string prefix = "fields.";
        return row.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal) && row.Has(name))
            .ToDictionary(name => name[prefix.Length..], row.Text);
    }
}
