using System.Text.Json;
using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Data;

/// <summary>A row of a JSON array or of JSON lines.</summary>
internal sealed class JsonRow(JsonElement root, string place) : DataRow
{
    public override string Place => place;

    public override IEnumerable<string> Names => Paths(root, "");

    public override bool Has(string path) =>
        Find(path) is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Object or JsonValueKind.Undefined) };

    public override string Text(string path) => StringOf(Require(path, "text", JsonValueKind.String, JsonValueKind.String), path);

    public override bool Flag(string path) => Require(path, "true or false", JsonValueKind.True, JsonValueKind.False).GetBoolean();

    public override string Scalar(string path)
    {
        const string kind = "text, a number, true or false";
        var value = Find(path) ?? throw Missing(path, kind);
        return value.ValueKind switch
        {
            JsonValueKind.String => StringOf(value, path),
            JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
            _ => throw WrongType(path, Describe(value), kind),
        };
    }

    public override IReadOnlyList<string> Texts(string path)
    {
        const string kind = "a list of texts";
        var list = Require(path, kind, JsonValueKind.Array, JsonValueKind.Array);
        return [.. list.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.String
            ? StringOf(item, path)
            : throw WrongType(path, $"a list with {Describe(item)}", kind))];
    }

    private string StringOf(JsonElement value, string path)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new DataException(DataFault.Encoding, place, $"field \"{Printable(path)}\" holds half of a surrogate pair (\\ud800 to \\udfff)",
                "complete characters", "correct or remove the row", e);
        }
    }

    private JsonElement Require(string path, string kind, JsonValueKind one, JsonValueKind other)
    {
        var value = Find(path) ?? throw Missing(path, kind);
        return value.ValueKind == one || value.ValueKind == other ? value : throw WrongType(path, Describe(value), kind);
    }

    /// <summary>A field whose own name holds dots goes before a path through nested objects.</summary>
    private JsonElement? Find(string path)
    {
        if (root.TryGetProperty(path, out var whole))
            return whole;
        var value = root;
        foreach (string name in path.Split('.'))
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(name, out value))
                return null;
        }
        return value;
    }

    private static IEnumerable<string> Paths(JsonElement parent, string prefix) => parent.EnumerateObject().SelectMany(p =>
        p.Value.ValueKind == JsonValueKind.Object ? Paths(p.Value, $"{prefix}{p.Name}.") : [prefix + p.Name]);

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "text",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => value.GetRawText(),
    };
}

/// <summary>Parses the rows of a JSON file one by one.</summary>
internal static class JsonRows
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    public static IEnumerable<DataRow> Read(IEnumerable<JsonItem> items, string path)
    {
        foreach (var item in items)
        {
            using var document = Parse(item, path);
            string place = $"{path}:{item.Line}";
            CheckNames(item, document.RootElement, place);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new DataException(DataFault.Syntax, place, "the row is no JSON object", "an object in braces",
                    "write one JSON object a line, or a JSON array of objects");
            yield return new JsonRow(document.RootElement, place);
        }
    }

    private static JsonDocument Parse(JsonItem item, string path)
    {
        try
        {
            return JsonDocument.Parse(item.Bytes, Options);
        }
        catch (InvalidOperationException e)
        {
            // Looking for fields that occur twice, the parser decodes their names.
            throw HalfPair($"{path}:{item.Line}", e);
        }
        catch (JsonException e)
        {
            int line = item.Line + (int)(e.LineNumber ?? 0);
            string column = e.BytePositionInLine is { } at ? $":{at + (e.LineNumber is > 0 ? 1 : item.Column)}" : "";
            throw new DataException(DataFault.Syntax, $"{path}:{line}{column}", $"malformed JSON ({Reason(e)})",
                "one complete JSON object a row",
                "write one JSON object a line, or a JSON array of objects", e);
        }
    }

    /// <summary>The parser lets half a surrogate pair pass in a field's name and fails when the name is asked for.</summary>
    private static void CheckNames(JsonItem item, JsonElement root, string place)
    {
        if (item.Bytes.Span.IndexOf("\\ud"u8) < 0 && item.Bytes.Span.IndexOf("\\uD"u8) < 0)
            return;
        try
        {
            Visit(root);
        }
        catch (InvalidOperationException e)
        {
            throw HalfPair(place, e);
        }

        static void Visit(JsonElement element)
        {
            if (element.ValueKind == JsonValueKind.Array)
            {
                foreach (var item in element.EnumerateArray())
                    Visit(item);
            }
            else if (element.ValueKind == JsonValueKind.Object)
            {
                foreach (var property in element.EnumerateObject())
                {
                    _ = property.Name;
                    Visit(property.Value);
                }
            }
        }
    }

    private static DataException HalfPair(string place, Exception inner) => new(
        DataFault.Encoding, place, "a field's name holds half of a surrogate pair (\\ud800 to \\udfff)", "complete characters", "correct or remove the row", inner);

    /// <summary>The parser's sentence without the position that it counts from the row's start.</summary>
    private static string Reason(JsonException e)
    {
        int end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return Quoted.Plain((end < 0 ? e.Message : e.Message[..end]).TrimEnd('.'));
    }
}
