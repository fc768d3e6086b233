using System.Runtime.InteropServices;
using System.Text.Json;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tokenizers;

/// <summary>What a tokenizer.json holds, ready for use.</summary>
/// <param name="File">The file, for messages.</param>
/// <param name="Model">From words to ids.</param>
/// <param name="AddedTokens">In the file's order.</param>
/// <param name="Normalizer">The file's, or null.</param>
/// <param name="PreTokenizer">The file's, or null.</param>
/// <param name="PostProcessor">The file's, or null.</param>
/// <param name="Decoder">The file's, or null.</param>
internal sealed record TokenizerParts(
    string File, TokenModel Model, IReadOnlyList<AddedToken> AddedTokens, Normalizer? Normalizer, PreTokenizer? PreTokenizer,
    PostProcessor? PostProcessor, TokenDecoder? Decoder);

/// <summary>Reads tokenizer.json. The file is not trusted: whatever is wrong with it is a typed error with file and JSON path.</summary>
internal static class TokenizerReader
{
    private const string FileName = "tokenizer.json";

    /// <summary>The largest known file has some 35 MB; far beyond that it is something else.</summary>
    private const long MaxBytes = 512L << 20;

    /// <summary>Each may be 15 bytes long and cost some hundred bytes of memory, and a pass over every text.</summary>
    private const int MaxObjects = 1024;

    /// <summary>Files of older tokenizers that can be converted, where tokenizer.json is missing.</summary>
    private static readonly string[] OlderFiles = ["tokenizer.model", "spiece.model", "vocab.json", "vocab.txt"];

    public static TokenizerParts Read(string modelFolderOrFile)
    {
        string file = Directory.Exists(modelFolderOrFile) ? Path.Combine(modelFolderOrFile, FileName) : modelFolderOrFile;
        if (!File.Exists(file))
            throw Missing(file);
        return Read(ReadBytes(file), file);
    }

    /// <summary>Reads a tokenizer.json from memory.</summary>
    /// <param name="json">Its bytes.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <exception cref="InputException">It is malformed, or uses something that is not supported.</exception>
    public static TokenizerParts Read(ReadOnlyMemory<byte> json, string file)
    {
        using var document = Parse(json, file);
        return Read(file, new JsonView(file, document.RootElement));
    }

    private static InputException Missing(string file)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(file)) ?? ".";
        string? older = OlderFiles.FirstOrDefault(name => File.Exists(Path.Combine(folder, name)));
        return older is null
            ? new InputException(file, "there is no such file", "a model folder with tokenizer.json, or that file", "check the path")
            : new InputException(
                file, $"there is no such file, only {older}", "a fast tokenizer's tokenizer.json",
                "convert it with Hugging Face transformers: python -c \"from transformers import AutoTokenizer; "
                + $"AutoTokenizer.from_pretrained('{folder}', use_fast=True).save_pretrained('{folder}')\"");
    }

    private static byte[] ReadBytes(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            if (stream.Length > MaxBytes)
            {
                throw new InputException(
                    file, $"it has {stream.Length} bytes", $"at most {MaxBytes}", "check that it is a tokenizer.json");
            }
            byte[] bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new InputException(
                file, $"it cannot be read ({problem.Message})", "a readable file", "check the path and its permissions", problem);
        }
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> json, string file)
    {
        if (json.Span.StartsWith("\uFEFF"u8)) json = json[3..];
        try
        {
            return JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 64 });
        }
        catch (JsonException problem)
        {
            string place = $"{file}, line {problem.LineNumber + 1}, byte {problem.BytePositionInLine + 1}";
            throw new InputException(place, "it is not JSON", "a tokenizer.json", "download or save the file again", problem);
        }
    }

    private static TokenizerParts Read(string file, JsonView root)
    {
        var fields = root.Fields(
            "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model");
        if (fields.Optional("version") is { } version && version.AsString() != "1.0")
            throw version.Unsupported($"version {JsonView.Quote(version.AsString())}", "1.0");
        int characters = root.Element.EnumerateObject().Where(property => !property.NameEquals("model")).Sum(PatternCharacters);
        if (characters > CodePointRegex.LongestPattern)
        {
            throw root.Error(
                $"its regular expressions have {characters} characters together", $"at most {CodePointRegex.LongestPattern}: known tokenizers need some hundred");
        }
        int objects = root.Element.EnumerateObject().Where(property => !property.NameEquals("model") && !property.NameEquals("added_tokens")).Sum(property => Objects(property.Value));
        if (objects > MaxObjects)
            throw root.Error($"its normalizer, pre_tokenizer, post_processor and decoder have {objects} parts", $"at most {MaxObjects}: known tokenizers need some twenty");
        var model = TokenModel.Read(fields["model"]);
        return new TokenizerParts(
            file,
            model,
            fields.Optional("added_tokens") is { } added ? ReadAddedTokens(added, model) : [],
            fields.Optional("normalizer") is { } normalizer ? Normalizer.Read(normalizer) : null,
            fields.Optional("pre_tokenizer") is { } preTokenizer ? PreTokenizer.Read(preTokenizer) : null,
            fields.Optional("post_processor") is { } postProcessor ? PostProcessor.Read(postProcessor) : null,
            fields.Optional("decoder") is { } decoder ? TokenDecoder.Read(decoder) : null);
    }

    /// <summary>
    /// Characters of all patterns together, as the file spells them: each may cost a hundred bytes of memory, so they are bounded
    /// before any is read.
    /// </summary>
    private static int PatternCharacters(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => value.EnumerateArray().Sum(PatternCharacters),
        JsonValueKind.Object => value.EnumerateObject().Sum(PatternCharacters),
        _ => 0,
    };

    private static int Objects(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => value.EnumerateArray().Sum(Objects),
        JsonValueKind.Object => 1 + value.EnumerateObject().Sum(property => Objects(property.Value)),
        _ => 0,
    };

    private static int PatternCharacters(JsonProperty property)
    {
        if (property.Value.ValueKind != JsonValueKind.String || !property.NameEquals("Regex"))
            return PatternCharacters(property.Value);
        int characters = 0;
        foreach (byte unit in JsonMarshal.GetRawUtf8Value(property.Value))
            characters += (unit & 0xC0) == 0x80 ? 0 : 1;
        return characters - 2;
    }

    /// <summary>
    /// The Rust library takes an added token's id from the vocabulary, or numbers it on from there, whatever the file says. A
    /// file that says something else would be read differently by different programs, so it is refused.
    /// </summary>
    private static List<AddedToken> ReadAddedTokens(JsonView list, TokenModel model)
    {
        var tokens = new List<AddedToken>();
        var contents = new HashSet<string>(StringComparer.Ordinal);
        int next = model.Vocabulary.Count;
        foreach (var item in list.Items())
        {
            var token = AddedToken.Read(item);
            if (token.Content.Length == 0)
                continue;
            if (!contents.Add(token.Content))
                throw item.Error($"the added token {JsonView.Quote(token.Content)} occurs twice", "every added token once");
            int id = model.Vocabulary.TryGetValue(token.Content, out int known) ? known : next++;
            if (token.Id != id)
            {
                throw item.Error(
                    $"the added token {JsonView.Quote(token.Content)} has the id {token.Id}, but Hugging Face tokenizers gives it {id}",
                    $"the id {id}", "load and save the tokenizer with transformers, which writes the ids it uses");
            }
            tokens.Add(token);
        }
        return tokens;
    }
}
