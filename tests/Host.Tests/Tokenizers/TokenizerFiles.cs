using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Tokenizers;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>Small tokenizer.json files, made in code and kept in a folder that goes away with the test.</summary>
internal sealed class TokenizerFiles : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("repnoise-tokenizer-").FullName;

    public string Folder => folder;

    /// <summary>Writes a file and returns its path.</summary>
    public string Write(string content, string name = "tokenizer.json")
    {
        string path = Path.Combine(folder, name);
        File.WriteAllText(path, content);
        return path;
    }

    public Tokenizer Load(string content) => Tokenizer.Load(Write(content));

    public Tokenizer Load(JsonNode content) => Load(content.ToJsonString());

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>A BPE tokenizer whose vocabulary is <paramref name="tokens"/> in order, with the components given as JSON.</summary>
    public static JsonObject Bpe(
        IEnumerable<string> tokens, IEnumerable<string>? merges = null, string? normalizer = null, string? preTokenizer = null,
        string? postProcessor = null, string? decoder = null, string? addedTokens = null, string? options = null)
    {
        var vocabulary = new JsonObject();
        int id = 0;
        foreach (string token in tokens)
            vocabulary.Add(token, id++);
        var model = new JsonObject
        {
            ["type"] = "BPE",
            ["vocab"] = vocabulary,
            ["merges"] = new JsonArray([.. (merges ?? []).Select(merge => JsonValue.Create(merge))]),
        };
        foreach (var (key, value) in JsonNode.Parse(options ?? "{}")!.AsObject())
            model[key] = value?.DeepClone();
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = JsonNode.Parse(addedTokens ?? "[]"),
            ["normalizer"] = JsonNode.Parse(normalizer ?? "null"),
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer ?? "null"),
            ["post_processor"] = JsonNode.Parse(postProcessor ?? "null"),
            ["decoder"] = JsonNode.Parse(decoder ?? "null"),
            ["model"] = model,
        };
    }

    /// <summary>One entry of added_tokens; <paramref name="flags"/> lists those of its flags that are true.</summary>
    public static string Added(int id, string content, params string[] flags)
    {
        var token = new JsonObject { ["id"] = id, ["content"] = content };
        foreach (string flag in (string[])["single_word", "lstrip", "rstrip", "normalized", "special"])
            token[flag] = flags.Contains(flag);
        return token.ToJsonString();
    }

    /// <summary>The folder tests/goldens/tokenizers of the repository this test was built from.</summary>
    public static string Goldens([CallerFilePath] string here = "")
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string candidate = Path.Combine(at.FullName, "tests", "goldens", "tokenizers");
            if (Directory.Exists(candidate))
                return candidate;
        }
        return Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "goldens", "tokenizers"));
    }
}
