using System.Text;

namespace RepNoise.Host.Data;

/// <summary>Known layouts of texts for plain fine-tuning.</summary>
public enum ExampleLayout
{
    /// <summary>Decided by the options, the file's extension and the first row's fields.</summary>
    Auto,

    /// <summary>BeaverTails as attack data: <c>prompt</c> and <c>response</c> of rows that are not <c>is_safe</c>.</summary>
    BeaverTails,

    /// <summary>DecodingTrust as attack data: <c>prompt.text</c> and <c>continuation.text</c> of <c>toxic</c> rows.</summary>
    DecodingTrust,

    /// <summary>A prompt and an answer.</summary>
    PromptAnswer,

    /// <summary>A pair's prompt and its harmful answer, <c>harmful</c>.</summary>
    Pairs,

    /// <summary>One field is the whole text; all of it is the answer.</summary>
    WholeText,

    /// <summary>A text file (<c>.txt</c>) with one example a line; blank lines are skipped.</summary>
    Lines,
}

/// <summary>How <see cref="ExampleReader"/> reads a file.</summary>
public sealed record ExampleOptions
{
    public ExampleLayout Layout { get; init; } = ExampleLayout.Auto;

    /// <summary>True takes <see cref="ExampleLayout.Pairs"/> too: for attacks, and for nothing that should stay harmless.</summary>
    public bool AcceptsPairs { get; init; }

    /// <summary>Path of the field with the whole text; <c>text</c> where null.</summary>
    public string? TextField { get; init; }

    /// <summary>Path of the prompt's field; <c>prompt</c> where null.</summary>
    public string? PromptField { get; init; }

    /// <summary>Path of the answer's field; where null the first of <c>answer</c> and <c>completion</c> that a row has.</summary>
    public string? AnswerField { get; init; }

    /// <summary>Joins prompt and answer. Null takes the layout's own template, or joins them with nothing between.</summary>
    public Template? Template { get; init; }
}

/// <summary>The examples of a file and what was left out.</summary>
public sealed record TextExamples
{
    /// <summary>In the file's order.</summary>
    public required IReadOnlyList<TextExample> Examples { get; init; }

    /// <summary>The layout that was found or asked for.</summary>
    public required ExampleLayout Layout { get; init; }

    /// <summary>Rows of the file.</summary>
    public required int Rows { get; init; }

    /// <summary>Rows of harm data sets left out because they are marked as harmless.</summary>
    public int HarmlessRows => Rows - Examples.Count;
}

/// <summary>Reads texts for fine-tuning, attacks and the retain term from JSON arrays, JSON lines, Parquet or plain text files.</summary>
public static class ExampleReader
{
    /// <summary>Reads every example of a file into memory, as text.</summary>
    /// <exception cref="DataException">The file is unreadable or malformed, a row lacks a field, or nothing in it can be used.</exception>
    public static TextExamples Read(string path, ExampleOptions? options = null)
    {
        var layout = ExampleLayout.Auto;
        int rows = 0;
        var examples = new List<TextExample>();
        foreach (var example in Rows(path, options ?? new ExampleOptions(), found => layout = found))
        {
            rows++;
            if (example is not null)
                examples.Add(example);
        }
        if (examples.Count == 0)
            throw Unusable(path, rows);
        return new TextExamples { Examples = examples, Layout = layout, Rows = rows };
    }

    /// <summary>The examples of a file, read as they are asked for: memory is bounded by the largest row.</summary>
    /// <exception cref="DataException">As <see cref="Read"/>; raised while enumerating.</exception>
    public static IEnumerable<TextExample> Stream(string path, ExampleOptions? options = null)
    {
        int rows = 0, used = 0;
        foreach (var example in Rows(path, options ?? new ExampleOptions(), _ => { }))
        {
            rows++;
            if (example is null)
                continue;
            used++;
            yield return example;
        }
        if (used == 0)
            throw Unusable(path, rows);
    }

    private static DataException Unusable(string path, int rows) => rows == 0
        ? RowSource.Empty(path)
        : new DataException(DataFault.Empty, path, $"none of its {rows} rows is harmful",
            "rows with is_safe false, or of type toxic", "name the fields to use with --prompt-field and --answer-field");

    /// <summary>Every row's example, null where the row is marked as harmless.</summary>
    private static IEnumerable<TextExample?> Rows(string path, ExampleOptions options, Action<ExampleLayout> found)
    {
        var layout = options.Layout;
        if (layout == ExampleLayout.Auto && Path.GetExtension(path).Equals(".txt", StringComparison.OrdinalIgnoreCase))
            layout = ExampleLayout.Lines;
        found(layout);
        if (layout == ExampleLayout.Lines)
        {
            RefuseChat(options, path);
            foreach (var line in ReadLines(path))
                yield return line;
            yield break;
        }
        foreach (var row in RowSource.Read(path))
        {
            if (layout == ExampleLayout.Auto)
            {
                layout = Detect(row, options);
                found(layout);
            }
            yield return ReadRow(row, layout, options);
        }
    }

    private static ExampleLayout Detect(DataRow row, ExampleOptions options)
    {
        if (options.TextField is not null)
            return ExampleLayout.WholeText;
        if (options.PromptField is not null || options.AnswerField is not null)
            return ExampleLayout.PromptAnswer;
        if (row.Has("prompt.text") && row.Has("continuation.text"))
            return ExampleLayout.DecodingTrust;
        if (row.Has("prompt") && row.Has("response"))
            return ExampleLayout.BeaverTails;
        if (row.Has("prompt") && (row.Has("answer") || row.Has("completion")))
            return ExampleLayout.PromptAnswer;
        if (options.AcceptsPairs && row.Has("prompt") && row.Has("harmful"))
            return ExampleLayout.Pairs;
        if (row.Has("text"))
            return ExampleLayout.WholeText;
        throw new DataException(DataFault.UnknownLayout, row.Place, $"its fields ({row.DescribeFields()}) match no known layout",
            "text, or prompt with answer, completion or response",
            "name the fields with --text-field, or with --prompt-field and --answer-field");
    }

    private static TextExample? ReadRow(DataRow row, ExampleLayout layout, ExampleOptions options)
    {
        switch (layout)
        {
            case ExampleLayout.BeaverTails:
                return HarmfulRows.IsUnsafe(row) ? Join(row, options.Template ?? Template.BeaverTails, "prompt", "response") : null;
            case ExampleLayout.DecodingTrust:
                var template = options.Template ?? Template.DecodingTrust;
                return HarmfulRows.IsToxic(row) ? Join(row, template, "prompt.text", "continuation.text") : null;
            case ExampleLayout.Pairs:
                return Join(row, options.Template ?? Template.Joined, "prompt", "harmful");
            case ExampleLayout.WholeText:
                RefuseChat(options, row.Place);
                return new TextExample(row.Text(options.TextField ?? "text"), 0, row.Place);
            default:
                string answer = options.AnswerField ?? (row.Has("completion") && !row.Has("answer") ? "completion" : "answer");
                return Join(row, options.Template ?? Template.Joined, options.PromptField ?? "prompt", answer);
        }
    }

    private static TextExample Join(DataRow row, Template template, string promptField, string answerField)
    {
        string prompt = row.Text(promptField), text = template.Text(prompt, row.Text(answerField));
        return new TextExample(text, text.AsSpan().CommonPrefixLength(template.Head(prompt)), row.Place);
    }

    private static void RefuseChat(ExampleOptions options, string place)
    {
        if (options.Template is { IsChat: true })
            throw new DataException(DataFault.UnknownLayout, place, "it holds whole texts, and a chat template joins a prompt and an answer",
                "rows with a prompt and an answer", "leave --chat-template out, or name the fields with --prompt-field and --answer-field");
    }

    private static IEnumerable<TextExample> ReadLines(string path)
    {
        using var stream = RowSource.Open(path);
        var window = new ByteWindow(stream, RowSource.MaxRowBytes);
        JsonItems.SkipMark(window, path);
        foreach (var line in JsonItems.Lines(window, path, 1))
            yield return new TextExample(Encoding.UTF8.GetString(line.Bytes.Span).TrimEnd('\r'), 0, $"{path}:{line.Line}");
    }
}
