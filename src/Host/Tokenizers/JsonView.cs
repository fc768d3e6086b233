using System.Text.Encodings.Web;
using System.Text.Json;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// One value of tokenizer.json together with where it stands, so that whatever is wrong with it is reported with file and
/// JSON path. Reading is strict: a wrong type, an absent key, a repeated key or a key that the reader does not know is an error.
/// </summary>
internal readonly struct JsonView(string file, string path, JsonElement element)
{
    private const string Convert = "save the tokenizer again with transformers (save_pretrained), or report the file if it works there";

    public string File => file;

    public string Path => path;

    public JsonElement Element => element;

    public bool IsNull => element.ValueKind == JsonValueKind.Null;

    public TokenizerException Error(string problem, string expected, string remedy = Convert, Exception? inner = null) =>
        new(file, path, problem, expected, remedy, inner);

    /// <summary>The error for a component, option or construct that exists but is not supported here.</summary>
    public TokenizerException Unsupported(string what, string known) =>
        Error($"{what} is not supported", known, "use a model whose tokenizer needs only these, or convert the tokenizer to them");

    /// <summary>The keys of an object, each once and each among <paramref name="known"/>.</summary>
    public JsonFields Fields(params string[] known)
    {
        Require(JsonValueKind.Object, "an object");
        var fields = new Dictionary<string, JsonView>(StringComparer.Ordinal);
        foreach (var property in Properties())
        {
            if (!known.Contains(property.Name, StringComparer.Ordinal))
                throw Unsupported($"the key {Quote(property.Name)}", $"one of {string.Join(", ", known)}");
            if (!fields.TryAdd(property.Name, new JsonView(file, $"{path}.{property.Name}", property.Value)))
                throw Error($"the key {Quote(property.Name)} occurs twice", "every key once");
        }
        return new JsonFields(this, fields);
    }

    /// <summary>The properties of an object in file order, repeated keys included.</summary>
    public IEnumerable<(string Name, JsonElement Value)> Properties()
    {
        Require(JsonValueKind.Object, "an object");
        foreach (var property in element.EnumerateObject())
            yield return (Text(() => property.Name), property.Value);
    }

    public JsonView Property(string name, JsonElement value) => new(file, $"{path}[{Quote(name)}]", value);

    public IEnumerable<JsonView> Items()
    {
        Require(JsonValueKind.Array, "an array");
        int index = 0;
        foreach (var item in element.EnumerateArray())
            yield return new JsonView(file, $"{path}[{index++}]", item);
    }

    /// <summary>The component's <c>type</c>, read before its other keys are known.</summary>
    public string TypeName()
    {
        Require(JsonValueKind.Object, "an object with a type");
        if (!element.TryGetProperty("type", out var type))
            throw Error("the key type is missing", "an object with a type");
        return new JsonView(file, $"{path}.type", type).AsString();
    }

    public string AsString()
    {
        Require(JsonValueKind.String, "a string");
        var value = element;
        return Text(() => value.GetString()!);
    }

    public bool AsBoolean() => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Mismatch("true or false"),
    };

    /// <summary>A token id or a count: 0 to 2^31 - 2, so that one more still fits.</summary>
    public int AsCount()
    {
        if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out int value) || value is < 0 or int.MaxValue)
            throw Mismatch("an integer from 0 to 2147483646");
        return value;
    }

    public JsonView Require(JsonValueKind kind, string expected) => element.ValueKind == kind ? this : throw Mismatch(expected);

    public TokenizerException Mismatch(string expected)
    {
        string found = element.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "an array",
            _ => Text(element.GetRawText),
        };
        return Error($"found {Clip(found)}", expected);
    }

    /// <summary>A string from the file, fit for one line of a message.</summary>
    public static string Quote(string text) =>
        $"\"{Clip(JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString())}\"";

    private static string Clip(string text) => text.Length <= 60 ? text : text[..57] + "...";

    /// <summary>JSON escapes can spell lone surrogates, which are no text; they surface only when a string is decoded.</summary>
    private string Text(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException problem)
        {
            throw Error("a string holds half of a surrogate pair or invalid UTF-8", "valid Unicode text", inner: problem);
        }
    }
}

/// <summary>The fields of one object, by name.</summary>
internal sealed class JsonFields(JsonView owner, Dictionary<string, JsonView> fields)
{
    public JsonView this[string name] => fields.TryGetValue(name, out var value)
        ? value
        : throw owner.Error($"the key {name} is missing", $"an object with the key {name}");

    /// <summary>The value of an optional key: null where it is absent or null in the file.</summary>
    public JsonView? Optional(string name) => fields.TryGetValue(name, out var value) && !value.IsNull ? value : null;

    public bool Flag(string name, bool absent) => Optional(name)?.AsBoolean() ?? absent;

    public string? OptionalText(string name) => Optional(name)?.AsString();
}
