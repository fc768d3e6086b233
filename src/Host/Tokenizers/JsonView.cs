using System.Text.Encodings.Web;
using System.Text.Json;
using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// One value of tokenizer.json together with where it stands, so that whatever is wrong with it is reported with file and
/// JSON path. Reading is strict: a wrong type, an absent key, a repeated key or a key that the reader does not know is an error.
/// </summary>
internal readonly struct JsonView
{
    private const string Convert = "save the tokenizer again with transformers (save_pretrained), or report the file if it works there";

    private readonly JsonPlace place;
    private readonly JsonElement element;

    /// <param name="file">The file's name, for messages.</param>
    /// <param name="root">The whole of it.</param>
    public JsonView(string file, JsonElement root)
        : this(new JsonPlace(file), root)
    {
    }

    private JsonView(JsonPlace place, JsonElement element) => (this.place, this.element) = (place, element);

    public JsonElement Element => element;

    public bool IsNull => element.ValueKind == JsonValueKind.Null;

    public TokenizerException Error(string problem, string expected, string remedy = Convert, Exception? inner = null) =>
        new(place.File, place.Path, problem, expected, remedy, inner);

    /// <summary>The error for a component, option or construct that exists but is not supported here.</summary>
    public TokenizerException Unsupported(string what, string known) =>
        Error($"{what} is not supported", known, "use a model whose tokenizer needs only these, or convert the tokenizer to them");

    /// <summary>The keys of an object, each once and each among <paramref name="known"/>.</summary>
    public JsonFields Fields(params string[] known)
    {
        Require(JsonValueKind.Object, "an object");
        var values = new JsonView?[known.Length];
        foreach (var property in element.EnumerateObject())
        {
            int index = IndexOf(known, property);
            if (index < 0)
                throw Unsupported($"the key {Quote(Name(property))}", $"one of {string.Join(", ", known)}");
            if (values[index] is not null)
                throw Error($"the key {Quote(known[index])} occurs twice", "every key once");
            values[index] = new JsonView(place.Key(known[index]), property.Value);
        }
        return new JsonFields(this, known, values);
    }

    /// <summary>The properties of an object in file order, repeated keys included.</summary>
    public IEnumerable<(string Name, JsonElement Value)> Properties()
    {
        Require(JsonValueKind.Object, "an object");
        foreach (var property in element.EnumerateObject())
            yield return (Name(property), property.Value);
    }

    public JsonView Property(string name, JsonElement value) => new(place.Entry(name), value);

    /// <summary>An element of this array: to find it by its number would take time in proportion to the array.</summary>
    public JsonView Item(int index, JsonElement item) => new(place.Item(index), item);

    public IEnumerable<JsonView> Items()
    {
        Require(JsonValueKind.Array, "an array");
        int index = 0;
        foreach (var item in element.EnumerateArray())
            yield return new JsonView(place.Item(index++), item);
    }

    /// <summary>The component's <c>type</c>, read before its other keys are known.</summary>
    public string TypeName()
    {
        Require(JsonValueKind.Object, "an object with a type");
        if (!element.TryGetProperty("type", out var type))
            throw Error("the key type is missing", "an object with a type");
        return new JsonView(place.Key("type"), type).AsString();
    }

    public string AsString()
    {
        Require(JsonValueKind.String, "a string");
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException problem)
        {
            throw NoText(problem);
        }
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
            _ => Quoted.Plain(Clip(RawText())),
        };
        return Error($"found {found}", expected);
    }

    /// <summary>A string from the file, fit for one line of a message.</summary>
    public static string Quote(string text) =>
        $"\"{Clip(JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString())}\"";

    private static string Clip(string text) => text.Length <= 60 ? text : text[..57] + "...";

    private static int IndexOf(string[] known, JsonProperty property)
    {
        for (int index = 0; index < known.Length; index++)
        {
            if (property.NameEquals(known[index]))
                return index;
        }
        return -1;
    }

    private string Name(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException problem)
        {
            throw NoText(problem);
        }
    }

    private string RawText()
    {
        try
        {
            return element.GetRawText();
        }
        catch (InvalidOperationException problem)
        {
            throw NoText(problem);
        }
    }

    /// <summary>JSON escapes can spell lone surrogates, which are no text; they surface only when a string is decoded.</summary>
    private TokenizerException NoText(InvalidOperationException problem) =>
        Error("a string holds half of a surrogate pair or invalid UTF-8", "valid Unicode text", inner: problem);
}

/// <summary>The fields of one object, by name.</summary>
/// <param name="owner">The object.</param>
/// <param name="known">The keys that it may have.</param>
/// <param name="values">For each of them its value, or null.</param>
internal sealed class JsonFields(JsonView owner, string[] known, JsonView?[] values)
{
    public JsonView this[string name] => Find(name) ?? throw owner.Error($"the key {name} is missing", $"an object with the key {name}");

    /// <summary>The value of an optional key: null where it is absent or null in the file.</summary>
    public JsonView? Optional(string name) => Find(name) is { IsNull: false } value ? value : null;

    public bool Flag(string name, bool absent) => Optional(name)?.AsBoolean() ?? absent;

    public string? OptionalText(string name) => Optional(name)?.AsString();

    private JsonView? Find(string name) => values[Array.IndexOf(known, name)];
}
