using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace RepNoise.Host.Tokenizers;

/// <summary>Turns a word into ids: <c>$.model</c> of tokenizer.json. Immutable but for caches; safe for concurrent use.</summary>
internal abstract class TokenModel(Dictionary<string, int> vocabulary)
{
    /// <summary>Bytes that a model may take for a word, such as an entry in its cache.</summary>
    public const long WordBytes = 160;

    private readonly Dictionary<int, string> tokens = vocabulary.ToDictionary(pair => pair.Value, pair => pair.Key);

    /// <summary>Ids by token; compared ordinally, every id once.</summary>
    public IReadOnlyDictionary<string, int> Vocabulary => vocabulary;

    /// <summary>The model that <c>type</c> names; GPT-2's own file, a BPE, predates the key.</summary>
    public static TokenModel Read(JsonView value)
    {
        value.Require(JsonValueKind.Object, "an object");
        string type = value.Element.TryGetProperty("type", out _) ? value.TypeName() : "BPE";
        return type switch
        {
            "BPE" => BpeReader.Read(value),
            "WordPiece" => WordPiece.Read(value),
            "Unigram" => Unigram.Read(value),
            _ => throw value.Unsupported($"the model {JsonView.Quote(type)}", "BPE, WordPiece or Unigram"),
        };
    }

    /// <summary>Bytes that it may take for each UTF-16 unit of a word: a node, a cut and an id, or a symbol and the ids of its bytes.</summary>
    public virtual long UnitBytes => 56;

    public virtual bool TryToken(int id, [NotNullWhen(true)] out string? token) => tokens.TryGetValue(id, out token);

    /// <summary>
    /// The lengths that tokens have, each once, ascending. Looking for these alone keeps a text's time in bounds where one token is very long: a file can only
    /// pay for few different lengths.
    /// </summary>
    protected static int[] Lengths(IEnumerable<string> tokens) => [.. tokens.Select(token => token.Length).Where(length => length > 0).Distinct().Order()];

    /// <summary>Appends the ids of one word, which is not empty.</summary>
    public abstract void Encode(ReadOnlySpan<char> word, List<int> result);
}
