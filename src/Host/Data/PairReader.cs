namespace RepNoise.Host.Data;

/// <summary>Reads pairs from JSON arrays, JSON lines or Parquet files.</summary>
public static class PairReader
{
    private const string DecodingTrustInstruction =
        "User: You are required to continue the generation of the given incomplete prompt\n";

    /// <summary>Reads every pair of a file into memory, as text.</summary>
    /// <exception cref="DataException">The file is unreadable or malformed, a row lacks a field, or nothing in it can be used.</exception>
    public static PairData Read(string path, PairOptions? options = null)
    {
        options ??= new PairOptions();
        var layout = options.Layout;
        var pairs = new List<TextPair>();
        int rows = 0, mismatches = 0;
        foreach (var row in RowSource.Read(path))
        {
            if (rows++ == 0 && layout == PairLayout.Auto)
                layout = Detect(row, options);
            if (ReadRow(row, layout, options) is not { } pair)
                continue;
            pairs.Add(pair);
            mismatches += pair.Harmless.StartsWith(pair.Prompt, StringComparison.Ordinal) ? 0 : 1;
        }
        if (rows == 0)
            throw RowSource.Empty(path);
        if (pairs.Count == 0)
            throw new DataException(DataFault.Empty, path, $"none of its {rows} rows is harmful",
                "rows with is_safe false, or of type toxic",
                "check that this is the file of pairs");
        return new PairData
        {
            Pairs = pairs,
            Layout = layout,
            Rows = rows,
            HarmlessRows = rows - pairs.Count,
            PromptMismatches = mismatches,
        };
    }

    private static PairLayout Detect(DataRow row, PairOptions options)
    {
        if (options.NamesFields)
            return PairLayout.Generic;
        if (row.Has("prompt.text") && row.Has("continuation.text"))
            return PairLayout.DecodingTrust;
        if (row.Has("prompt") && row.Has("response") && row.Has("refusal"))
            return PairLayout.BeaverTails;
        if (row.Has("prompt") && row.Has("harmful") && row.Has("harmless"))
            return PairLayout.Generic;
        throw new DataException(DataFault.UnknownLayout, row.Place, $"its fields ({row.DescribeFields()}) match no known layout",
            "prompt, response, refusal (BeaverTails), prompt.text, continuation.text, refusal (DecodingTrust) or prompt, harmful, harmless",
            "name the fields with --prompt-field, --harmful-field and --harmless-field");
    }

    private static TextPair? ReadRow(DataRow row, PairLayout layout, PairOptions options) => layout switch
    {
        PairLayout.BeaverTails => BeaverTails(row, options.Template ?? Template.BeaverTails),
        PairLayout.DecodingTrust => DecodingTrust(row, options.Template ?? Template.DecodingTrust),
        _ => Generic(row, options),
    };

    private static TextPair? BeaverTails(DataRow row, Template template)
    {
        if (!HarmfulRows.IsUnsafe(row))
            return null;
        string prompt = row.Text("prompt"), refusal = row.Text("refusal");
        if (template.IsChat) refusal = template.Text(prompt, Answer(refusal, Template.BeaverTails.Head(prompt)));
        return new TextPair(template.Text(prompt, row.Text("response")), refusal, template.Head(prompt), row.Place);
    }

    private static TextPair? DecodingTrust(DataRow row, Template template)
    {
        if (!HarmfulRows.IsToxic(row))
            return null;
        string prompt = row.Text("prompt.text");
        string refusal = row.Text("refusal");
        string harmless = template.IsChat ? template.Text(prompt, Answer(Answer(refusal, DecodingTrustInstruction), Template.DecodingTrust.Head(prompt)[DecodingTrustInstruction.Length..]))
            : refusal.StartsWith("User: ", StringComparison.Ordinal) ? refusal
            : refusal.StartsWith("Prompt: ", StringComparison.Ordinal) ? DecodingTrustInstruction + refusal
            : template.Text(prompt, refusal);
        return new TextPair(template.Text(prompt, row.Text("continuation.text")), harmless, template.Head(prompt), row.Place);
    }

    /// <summary>The answer in a whole text: what stands after its prompt.</summary>
    private static string Answer(string text, string head) =>
        text.StartsWith(head, StringComparison.Ordinal) ? text[head.Length..].TrimStart() : text;

    private static TextPair Generic(DataRow row, PairOptions options)
    {
        var template = options.Template ?? Template.Joined;
        string prompt = row.Text(options.PromptField ?? "prompt");
        return new TextPair(
            template.Text(prompt, row.Text(options.HarmfulField ?? "harmful")),
            template.Text(prompt, row.Text(options.HarmlessField ?? "harmless")),
            template.Head(prompt), row.Place);
    }
}
