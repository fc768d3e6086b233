using System.Text.Json.Nodes;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>Small tokenizers with the components of the published ones, and some with every option turned the other way.</summary>
internal static class TokenizerStyles
{
    private const string Llama3Words =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Gpt4oWords =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string DeepSeekWords =
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string LlamaDecoder =
        """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""";

    private const string ByteLevelComponent = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";

    private const string LlamaNormalizer =
        """{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""";

    private const string LlamaOptions = """{"unk_token":"<unk>","fuse_unk":true,"byte_fallback":true}""";

    private static readonly string[] LlamaSpecials = ["<unk>", "<s>", "</s>"];

    public static readonly string[] Names =
    [
        "llama2", "llama2-metaspace", "mistral-v3", "phi3", "gemma", "llama3", "qwen2", "gpt2", "gpt2-prefix", "gpt4o", "deepseek",
        "metaspace-split", "unknowns", "affixes", "added-flags", "normalized-added", "nfkc", "decompose", "splits", "regex-corners",
    ];

    public static JsonObject Make(string name) => name switch
    {
        "llama2" => Llama(normalizer: LlamaNormalizer),
        "llama2-metaspace" => Llama(preTokenizer: """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}"""),
        "mistral-v3" => Llama(
            preTokenizer: """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""",
            extra: [("<|end|>", ["special"])], options: """{"unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"ignore_merges":true}"""),
        "phi3" => Llama(normalizer: LlamaNormalizer, extra: [("<|end|>", ["rstrip", "special"]), ("</a>", ["rstrip", "normalized"])]),
        "gemma" => Llama(
            normalizer: """{"type":"Replace","pattern":{"String":" "},"content":"▁"}""",
            preTokenizer: """{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}""",
            decoder: """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}]}""",
            extra: [("\n\n", []), ("▁▁", []), ("▁▁▁", []), ("<|end|>", ["special"])]),
        "llama3" => Bytes(Split(Llama3Words), options: """{"ignore_merges":true}""", postProcessor: Llama3Template()),
        "qwen2" => Bytes(Split(Llama3Words.Replace("{1,3}", "", StringComparison.Ordinal)), normalizer: """{"type":"NFC"}"""),
        "gpt2" => Bytes(null, component: """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}""", options: """{"unk_token":"","continuing_subword_prefix":"","end_of_word_suffix":""}"""),
        "gpt2-prefix" => Bytes(null, component: """{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}"""),
        "gpt4o" => Bytes(Split(Gpt4oWords, "Removed", invert: true)),
        "deepseek" => Bytes(
            $"{Split(@"\p{N}{1,3}")},{Split("[一-龥぀-ゟ゠-ヿ]+")},{Split(DeepSeekWords)}",
            normalizer: """{"type":"Sequence","normalizers":[]}"""),
        "metaspace-split" => Llama(
            preTokenizer: """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"Metaspace","replacement":"▁","add_prefix_space":true}]}""",
            decoder: """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}"""),
        "unknowns" => Llama(normalizer: LlamaNormalizer, options: """{"unk_token":"<unk>","fuse_unk":false,"byte_fallback":false}"""),
        "affixes" => Affixes(),
        "added-flags" => Llama(
            preTokenizer: """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""",
            extra: [("<a>", ["lstrip"]), ("<ab", ["rstrip"]), ("word", ["single_word"]), ("{mask}", ["lstrip", "rstrip", "special"]), ("  ", [])]),
        "normalized-added" => Llama(
            normalizer: """{"type":"Sequence","normalizers":[{"type":"Lowercase"},{"type":"NFC"},{"type":"Replace","pattern":{"Regex":"\\s+"},"content":"▁"}]}""",
            preTokenizer: """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""",
            extra: [("WORD", ["normalized"]), ("<|END|>", ["normalized", "special"]), ("e\u0301", ["normalized"]), ("Straße", ["normalized", "single_word"])]),
        "nfkc" => Llama(
            normalizer: """{"type":"NFKC"}""",
            preTokenizer: """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":false},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]}"""),
        "decompose" => Bytes(
            Split(Llama3Words),
            normalizer: """{"type":"Sequence","normalizers":[{"type":"NFKD"},{"type":"StripAccents"},{"type":"Lowercase"},{"type":"Strip","strip_left":true,"strip_right":false},{"type":"NFD"}]}"""),
        "splits" => Bytes(
            $"{Split(@"\p{P}", "MergedWithNext")},{Split(@"\s", "Contiguous")},{Split("[aeiou]", "MergedWithPrevious")},{Split("[xyz]+", "Removed")}"),
        "regex-corners" => Bytes(
            $"{Split(@"^\w+?|\b[A-Z]{2,}+|(?>a+)b|x??y|$\n|(?:ab|a){2,3}?|\p{^L}(?=\p{L})|[^\W\d_]{,2}\h\x{41}?")},{Split(@"\S++\Z|(\s\S)*\z")}"),
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };

    private static string Split(string regex, string behavior = "Isolated", bool invert = false) => new JsonObject
    {
        ["type"] = "Split",
        ["pattern"] = new JsonObject { ["Regex"] = regex },
        ["behavior"] = behavior,
        ["invert"] = invert,
    }.ToJsonString();

    private static JsonObject Llama(
        string? normalizer = null, string? preTokenizer = null, string decoder = LlamaDecoder, string options = LlamaOptions,
        (string Content, string[] Flags)[]? extra = null)
    {
        var (tokens, merges) = BpeTrainer.Train(BpeTrainer.Metaspace, LlamaSpecials.Concat(BpeTrainer.ByteTokens()));
        var added = LlamaSpecials.Select(content => (content, (string[])["special"])).Concat(extra ?? []);
        return TokenizerFiles.Bpe(
            tokens, merges, normalizer, preTokenizer, Template("<s>", 1), decoder, AddedList(tokens, added), options);
    }

    private static JsonObject Bytes(
        string? splits, string? normalizer = null, string component = ByteLevelComponent, string? options = null, string? postProcessor = null)
    {
        var (tokens, merges) = BpeTrainer.Train(BpeTrainer.ByteLevel, BpeTrainer.ByteLevelAlphabet());
        string preTokenizer = splits is null
            ? component
            : $$"""{"type":"Sequence","pretokenizers":[{{splits}},{{component}}]}""";
        (string, string[])[] added = [("<|end|>", ["special"]), ("<s>", ["special"]), ("<a>", []), ("<ab", ["normalized"])];
        return TokenizerFiles.Bpe(
            tokens, merges, normalizer, preTokenizer, postProcessor ?? ByteLevelComponent, ByteLevelComponent, AddedList(tokens, added), options);
    }

    private static JsonObject Affixes()
    {
        string[] letters = [.. "abcdehlotw".Select(letter => letter.ToString())];
        var tokens = letters.Concat(letters.Select(letter => "##" + letter)).Concat(letters.Select(letter => letter + "</w>"))
            .Concat(letters.Select(letter => "##" + letter + "</w>"))
            .Concat(["th", "the</w>", "##at</w>", "cat</w>", "##ab", "[UNK]"]);
        string[] merges = ["t ##h", "##a ##t</w>", "th ##e</w>", "c ##at</w>", "##a ##b"];
        return TokenizerFiles.Bpe(
            tokens, merges, preTokenizer: Split(@"\s+", "Removed"),
            options: """{"unk_token":"[UNK]","continuing_subword_prefix":"##","end_of_word_suffix":"</w>"}""");
    }

    private static string AddedList(List<string> tokens, IEnumerable<(string Content, string[] Flags)> added)
    {
        int next = tokens.Count;
        var entries = added.Select(token =>
        {
            int known = tokens.IndexOf(token.Content);
            return TokenizerFiles.Added(known >= 0 ? known : next++, token.Content, token.Flags);
        });
        return $"[{string.Join(',', entries)}]";
    }

    private static string Llama3Template() =>
        $$"""{"type":"Sequence","processors":[{{ByteLevelComponent}},{{Template("<s>", 5)}}]}""";

    private static string Template(string token, int id) => new JsonObject
    {
        ["type"] = "TemplateProcessing",
        ["single"] = JsonNode.Parse($$$"""[{"SpecialToken":{"id":"{{{token}}}","type_id":0}},{"Sequence":{"id":"A","type_id":0}}]"""),
        ["pair"] = JsonNode.Parse("""[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":0}}]"""),
        ["special_tokens"] = new JsonObject
        {
            [token] = new JsonObject { ["id"] = token, ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(token) },
        },
    }.ToJsonString();
}
