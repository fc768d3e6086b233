using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Tokenizers;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>Every way a tokenizer.json can be wrong is a typed error that says where; no file brings the program down.</summary>
public class HostileTokenizerTests
{
    private const string Valid = """
        {"version":"1.0","truncation":null,"padding":null,
         "added_tokens":[{"id":3,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
         "normalizer":{"type":"NFC"},
         "pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\s+"},"behavior":"Isolated","invert":false},
         "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
           "pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[3],"tokens":["<s>"]}}},
         "decoder":{"type":"Fuse"},
         "model":{"type":"BPE","unk_token":null,"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}
        """;

    [Fact]
    public void The_valid_file_loads()
    {
        using var files = new TokenizerFiles();
        var tokenizer = files.Load(Valid);
        Assert.Equal([3, 2, 3, 0], tokenizer.Encode("ab<s>a"));
        Assert.Equal("aba", tokenizer.Decode([3, 2, 3, 0]));
        Assert.Equal("<s>aba", tokenizer.Decode([3, 2, 0], skipSpecialTokens: false));
    }

    [Theory]
    [InlineData("\"a\":0,", "\"a\":-1,", "$.model.vocab[\"a\"]", "-1")]
    [InlineData("\"a\":0,", "\"a\":2147483647,", "$.model.vocab[\"a\"]", "2147483647")]
    [InlineData("\"a\":0,", "\"a\":1e3,", "$.model.vocab[\"a\"]", "1e3")]
    [InlineData("\"a\":0,", "\"a\":\"0\",", "$.model.vocab[\"a\"]", "\"0\"")]
    [InlineData("\"a\":0,", "\"a\":1,", "$.model.vocab[\"b\"]", "already belongs to the token \"a\"")]
    [InlineData("\"b\":1,", "\"a\":1,", "$.model.vocab[\"a\"]", "occurs twice")]
    [InlineData("\"a b\"", "\"a c\"", "$.model.merges[0]", "\"c\" is not in the vocabulary")]
    [InlineData("\"a b\"", "\"b a\"", "$.model.merges[0]", "\"ba\" is not in the vocabulary")]
    [InlineData("\"a b\"", "\"a b \"", "$.model.merges[0]", "found")]
    [InlineData("\"a b\"", "\"a b\",[\"a\",\"b\"]", "$.model.merges[1]", "two forms")]
    [InlineData("\"a b\"", "[\"a\"]", "$.model.merges[0]", "an array")]
    [InlineData("\"a b\"", "7", "$.model.merges[0]", "7")]
    [InlineData("[\"a b\"]", "{}", "$.model.merges", "an object")]
    [InlineData("\"BPE\"", "\"WordLevel\"", "$.model", "WordLevel")]
    [InlineData("\"\\\\s+\"", "\"\\\\p{L\\u0018}\"", "$.pre_tokenizer.pattern.Regex", "\\u0018")]
    [InlineData("\"unk_token\":null", "\"unk_token\":5", "$.model.unk_token", "5")]
    [InlineData("\"unk_token\":null", "\"dropout\":0.1", "$.model.dropout", "0.1")]
    [InlineData("\"unk_token\":null", "\"max_piece\":9", "$.model", "max_piece")]
    [InlineData("\"unk_token\":null", "\"unk_token\":null,\"unk_token\":null", "$.model", "occurs twice")]
    [InlineData("\"NFC\"", "\"Nmt\"", "$.normalizer", "Nmt")]
    [InlineData("{\"type\":\"NFC\"}", "{\"type\":\"NFC\",\"x\":1}", "$.normalizer", "\"x\"")]
    [InlineData("{\"type\":\"NFC\"}", "{}", "$.normalizer", "type is missing")]
    [InlineData("{\"type\":\"NFC\"}", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Nmt\"}]}", "$.normalizer.normalizers[1]", "Nmt")]
    [InlineData("\"Fuse\"", "\"CTC\"", "$.decoder", "CTC")]
    [InlineData("\"Isolated\"", "\"Sideways\"", "$.pre_tokenizer.behavior", "Sideways")]
    [InlineData("\"type\":\"Split\"", "\"type\":\"CharDelimiterSplit\"", "$.pre_tokenizer", "CharDelimiterSplit")]
    [InlineData("\\\\s+", "(a", "$.pre_tokenizer.pattern.Regex", "never closed")]
    [InlineData("\\\\s+", "(?<=a)b", "$.pre_tokenizer.pattern.Regex", "(?<")]
    [InlineData("\\\\s+", "\\\\p{Han}", "$.pre_tokenizer.pattern.Regex", "Han")]
    [InlineData("{\"Regex\":\"\\\\s+\"}", "{\"Glob\":\"*\"}", "$.pre_tokenizer.pattern", "Glob")]
    [InlineData("{\"Regex\":\"\\\\s+\"}", "{\"String\":\"\"}", "$.pre_tokenizer.pattern.String", "empty")]
    [InlineData("\"TemplateProcessing\"", "\"OtherProcessing\"", "$.post_processor", "OtherProcessing")]
    [InlineData("{\"SpecialToken\":{\"id\":\"<s>\"", "{\"SpecialToken\":{\"id\":\"<t>\"", "$.post_processor.single[0].SpecialToken.id", "<t>")]
    [InlineData("{\"id\":\"A\"", "{\"id\":\"B\"", "$.post_processor.single[1].Sequence.id", "\"B\"")]
    [InlineData("\"ids\":[3]", "\"ids\":[-3]", "$.post_processor.special_tokens[\"<s>\"].ids[0]", "-3")]
    [InlineData("\"id\":3", "\"id\":7", "$.added_tokens[0]", "gives it 3")]
    [InlineData("\"id\":3", "\"id\":99999999999", "$.added_tokens[0].id", "99999999999")]
    [InlineData("\"lstrip\":false", "\"lstrip\":0", "$.added_tokens[0].lstrip", "0")]
    [InlineData("\"lstrip\":false,", "", "$.added_tokens[0]", "lstrip is missing")]
    [InlineData("\"content\":\"<s>\"", "\"content\":\"\\ud800\"", "$.added_tokens[0].content", "surrogate")]
    [InlineData("[\"a b\"]", "[\"a\u007fb\"]", "$.model.merges[0]", "a\\u007fb")]
    [InlineData("\"version\":\"1.0\"", "\"version\":\"2.0\"", "$.version", "2.0")]
    [InlineData("\"version\":\"1.0\"", "\"version\":\"1.0\",\"extra\":1", "$", "extra")]
    public void What_is_wrong_is_named_with_its_place(string part, string replacement, string path, string named)
    {
        using var files = new TokenizerFiles();
        Assert.Contains(part, Valid, StringComparison.Ordinal);
        int at = Valid.IndexOf(part, StringComparison.Ordinal);
        string content = Valid[..at] + replacement + Valid[(at + part.Length)..];
        var error = Assert.Throws<TokenizerException>(() => files.Load(content));
        Assert.Equal(path, error.JsonPath);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.EndsWith("tokenizer.json", error.File, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("not json")]
    [InlineData("{\"model\":{}} {}")]
    public void What_is_no_JSON_is_an_error_with_its_line(string content)
    {
        using var files = new TokenizerFiles();
        var error = Assert.Throws<InputException>(() => files.Load(content));
        Assert.Contains("tokenizer.json, line 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_nesting_is_an_error()
    {
        using var files = new TokenizerFiles();
        string json = string.Concat(Enumerable.Repeat("""{"type":"Sequence","normalizers":[""", 50_000));
        Assert.Throws<InputException>(() => files.Load($$"""{"normalizer":{{json}}"""));
    }

    [Theory]
    [InlineData("tokenizer.model")]
    [InlineData("vocab.json")]
    public void Older_files_are_named_with_the_way_to_convert_them(string name)
    {
        using var files = new TokenizerFiles();
        files.Write("x", name);
        var error = Assert.Throws<InputException>(() => Tokenizer.Load(files.Folder));
        Assert.Contains(name, error.Problem, StringComparison.Ordinal);
        Assert.Contains("AutoTokenizer", error.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_an_error()
    {
        using var files = new TokenizerFiles();
        Assert.Throws<InputException>(() => Tokenizer.Load(files.Folder));
        Assert.Throws<InputException>(() => Tokenizer.Load(Path.Combine(files.Folder, "no", "such.json")));
    }

    [Fact]
    public void Random_bytes_are_an_error()
    {
        using var files = new TokenizerFiles();
        Gen.Byte.Array[0, 200].Sample(
            bytes =>
            {
                string path = Path.Combine(files.Folder, "tokenizer.json");
                File.WriteAllBytes(path, bytes);
                Assert.ThrowsAny<InputException>(() => Tokenizer.Load(path));
            },
            seed: "0N0XIzNsQ0O2", iter: 500, threads: 1);
    }

    /// <summary>Bytes changed, cut out or doubled: the file loads and works, or it is a typed error.</summary>
    [Fact]
    public void Mutated_files_load_or_are_an_error()
    {
        using var files = new TokenizerFiles();
        byte[] valid = Encoding.UTF8.GetBytes(Valid);
        string path = Path.Combine(files.Folder, "tokenizer.json");
        var value = Gen.OneOf(Gen.Byte, Gen.Int[32, 126].Select(printable => (byte)printable));
        var mutation = Gen.Select(Gen.Int[0, valid.Length - 1], Gen.Int[0, 12], value, Gen.Int[0, 3]);
        mutation.Array[1, 4].Sample(
            mutations =>
            {
                byte[] bytes = mutations.Aggregate(valid, Mutate);
                File.WriteAllBytes(path, bytes);
                LoadAndUse(path);
            },
            seed: "0N0XIzNsQ0O2", iter: 4000, threads: 1);
    }

    /// <summary>A value somewhere replaced by one of another kind: the file loads and works, or it is a typed error.</summary>
    [Fact]
    public void Values_of_other_kinds_load_or_are_an_error()
    {
        using var files = new TokenizerFiles();
        string[] values = ["null", "true", "-1", "1e400", "4294967296", "\"\"", "\"x\"", "\"\\ud83d\"", "[]", "[null]", "{}", "{\"type\":\"BPE\"}"];
        int places = Places(JsonNode.Parse(Valid)!).Count;
        for (int place = 0; place < places; place++)
        {
            foreach (string value in values)
            {
                var root = JsonNode.Parse(Valid)!;
                Places(root)[place].ReplaceWith<JsonNode?>(JsonValue.Create("@@"));
                string content = root.ToJsonString().Replace("\"@@\"", value, StringComparison.Ordinal);
                LoadAndUse(files.Write(content));
            }
        }
        Assert.True(places > 40);
    }

    private static List<JsonNode> Places(JsonNode? node) => node switch
    {
        JsonObject fields => [.. fields.Where(field => field.Value is not null).SelectMany(field => Places(field.Value).Prepend(field.Value!))],
        JsonArray items => [.. items.Where(item => item is not null).SelectMany(item => Places(item).Prepend(item!))],
        _ => [],
    };

    private static byte[] Mutate(byte[] bytes, (int At, int Length, byte Value, int Kind) mutation)
    {
        int at = Math.Min(mutation.At, bytes.Length);
        int length = Math.Min(mutation.Length, bytes.Length - at);
        byte[] middle = mutation.Kind switch
        {
            0 => [],
            1 => [.. bytes.AsSpan(at, length), .. bytes.AsSpan(at, length)],
            2 => [mutation.Value, .. bytes.AsSpan(at, length)],
            _ => [.. Enumerable.Repeat(mutation.Value, length)],
        };
        return [.. bytes.AsSpan(0, at), .. middle, .. bytes.AsSpan(at + length)];
    }

    private static void LoadAndUse(string path)
    {
        try
        {
            var tokenizer = Tokenizer.Load(path);
            tokenizer.Decode(tokenizer.Encode("ab <s> ba\n c 1"));
        }
        catch (InputException error)
        {
            Assert.NotEmpty(error.Place);
        }
    }
}
