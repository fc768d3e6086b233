using System.Text.Json.Nodes;
using RepNoise.Host.Tokenizers;
using static RepNoise.Host.Tests.Tokenizers.TokenizerFiles;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>Single components, seen through tokenizers whose tokens are single characters.</summary>
public class TokenizerComponentTests
{
    private static readonly string[] Letters = [.. "ab▁ ĠxXA1½".Select(letter => letter.ToString()), "i\u0307", "<t>"];

    [Theory]
    [InlineData("""{"type":"Prepend","prepend":"▁"}""", "ab", "▁ab")]
    [InlineData("""{"type":"Prepend","prepend":"▁"}""", "", "")]
    [InlineData("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""", "a  b", "a▁▁b")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":"[ab]+"},"content":"x"}""", "ab ba", "x x")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"Lowercase"},{"type":"Prepend","prepend":"A"}]}""", "X", "Ax")]
    [InlineData("""{"type":"Strip","strip_left":true,"strip_right":true}""", " \u3000a b\n", "a b")]
    [InlineData("""{"type":"NFKC"}""", "\uFF41\uFFFE\u2090", "aa")]
    [InlineData("""{"type":"StripAccents"}""", "a\u0301b", "ab")]
    public void Normalizers(string normalizer, string text, string expected) =>
        Assert.Equal(expected, Characters(Bpe(Letters, normalizer: normalizer), text));

    [Theory]
    [InlineData("always", "ab <t>x", "▁ab▁<t>▁x")]
    [InlineData("first", "ab <t>x", "▁ab▁<t>x")]
    [InlineData("first", "<t>x", "<t>x")]
    [InlineData("never", "ab x", "ab▁x")]
    [InlineData("always", " a", "▁a")]
    public void Metaspace_prepends(string scheme, string text, string expected)
    {
        var json = Bpe(
            Letters, preTokenizer: $$"""{"type":"Metaspace","replacement":"▁","prepend_scheme":"{{scheme}}","split":true}""",
            addedTokens: $"[{Added(Letters.Length - 1, "<t>")}]");
        Assert.Equal(expected, Characters(json, text));
    }

    [Theory]
    [InlineData(false, "a", "a")]
    [InlineData(true, "a", "Ġa")]
    [InlineData(true, " a", "Ġa")]
    public void ByteLevel_prefixes_a_space(bool prefix, string text, string expected) => Assert.Equal(
        expected,
        Characters(Bpe(Letters, preTokenizer: $$"""{"type":"ByteLevel","add_prefix_space":{{(prefix ? "true" : "false")}},"trim_offsets":true}"""), text));

    [Theory]
    [InlineData("", "a <t> b", "a |<t>| b")]
    [InlineData("lstrip", "a <t> b", "a|<t>| b")]
    [InlineData("rstrip", "a <t> b", "a |<t>|b")]
    [InlineData("lstrip,rstrip", "a \n<t>\u3000 b", "a|<t>|b")]
    [InlineData("single_word", "a<t>", "a<|t|>")]
    [InlineData("single_word", "a <t>", "a |<t>")]
    [InlineData("single_word", "<t>\u200Da", "<|t|>|a")]
    public void Added_tokens(string flags, string text, string expected)
    {
        string[] tokens = ["a", "b", " ", "<", "t", ">", "a ", " b", "a<"];
        var json = Bpe(tokens, addedTokens: $"[{Added(tokens.Length, "<t>", flags.Split(','))}]");
        json["model"]!["merges"] = JsonNode.Parse("""[["a"," "],[" ","b"],["a","<"]]""");
        using var files = new TokenizerFiles();
        var tokenizer = files.Load(json);
        Assert.Equal(expected, string.Join('|', tokenizer.Encode(text).Select(id => tokenizer.IdToToken(id))));
    }

    [Fact]
    public void Of_added_tokens_the_longest_wins()
    {
        using var files = new TokenizerFiles();
        var tokenizer = files.Load(Bpe(["a", "b"], addedTokens: $"[{Added(2, "ab")},{Added(3, "abb")},{Added(4, "bb")}]"));
        Assert.Equal([3, 2, 0, 0, 3, 4, 1], tokenizer.Encode("abbabaaabbbbb"));
    }

    [Theory]
    [InlineData("""{"byte_fallback":true}""", "aé", "a<0xC3><0xA9>")]
    [InlineData("""{"unk_token":"?"}""", "éèa", "??a")]
    [InlineData("""{"unk_token":"?","fuse_unk":true}""", "éèaé", "?a?")]
    [InlineData("{}", "éaè", "a")]
    [InlineData("""{"ignore_merges":false}""", "xy", "xy")]
    [InlineData("""{"ignore_merges":true}""", "abc", "abc")]
    [InlineData("""{"ignore_merges":false}""", "abc", "abc")]
    public void Bpe_options(string options, string text, string expected) =>
        Assert.Equal(expected, Characters(Bpe(["a", "b", "c", "x", "y", "?", "abc", "<0xC3>", "<0xA9>"], options: options), text));

    [Fact]
    public void Ignoring_merges_takes_a_whole_word_that_is_a_token()
    {
        using var files = new TokenizerFiles();
        Assert.Equal([3], files.Load(Bpe(["a", "b", "c", "abc"], options: """{"ignore_merges":true}""")).Encode("abc"));
        Assert.Equal([0, 1, 2], files.Load(Bpe(["a", "b", "c", "abc"])).Encode("abc"));
    }

    [Fact]
    public void An_unknown_token_outside_the_vocabulary_is_an_error_only_when_it_is_needed()
    {
        using var files = new TokenizerFiles();
        var tokenizer = files.Load(Bpe(["a"], options: """{"unk_token":"?"}"""));
        Assert.Equal([0], tokenizer.Encode("a"));
        Assert.Equal("$.model.unk_token", Assert.Throws<TokenizerException>(() => tokenizer.Encode("b")).JsonPath);
    }

    [Theory]
    [InlineData("null", "a b")]
    [InlineData("""{"type":"Fuse"}""", "ab")]
    [InlineData("""{"type":"Metaspace","replacement":"b","prepend_scheme":"always"}""", "a ")]
    [InlineData("""{"type":"Replace","pattern":{"String":"b"},"content":"xy"}""", "axy")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"a","start":2,"stop":0}]}""", "b")]
    public void Decoders(string decoder, string expected)
    {
        using var files = new TokenizerFiles();
        Assert.Equal(expected, files.Load(Bpe(["a", "b"], decoder: decoder)).Decode([0, 1]));
    }

    [Theory]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""", "â,Ĥ,a", "\uFFFDa")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""", "â,Ĥ,¬,日", "€日")]
    [InlineData("""{"type":"ByteFallback"}""", "<0xE2>,<0x82>,a", "\uFFFD\uFFFDa")]
    [InlineData("""{"type":"ByteFallback"}""", "<0xE2>,<0x82>,<0xAC>", "€")]
    public void Broken_bytes_decode_to_replacement_characters(string decoder, string tokens, string expected)
    {
        using var files = new TokenizerFiles();
        string[] vocabulary = tokens.Split(',');
        Assert.Equal(expected, files.Load(Bpe(vocabulary, decoder: decoder)).Decode([.. Enumerable.Range(0, vocabulary.Length)]));
    }

    [Fact]
    public void Lone_surrogates_count_as_the_replacement_character()
    {
        using var files = new TokenizerFiles();
        var tokenizer = files.Load(Bpe(["\uFFFD", "a", "😀"]));
        Assert.Equal([0, 1, 0, 2, 0], tokenizer.Encode("\uDC00a\uD800😀\uD83D"));
    }

    [Fact]
    public void Truncation_and_padding_of_the_file_are_ignored()
    {
        using var files = new TokenizerFiles();
        var json = Bpe(["a"]);
        json["truncation"] = JsonNode.Parse("""{"direction":"Right","max_length":2,"strategy":"LongestFirst","stride":0}""");
        json["padding"] = JsonNode.Parse("""{"strategy":{"Fixed":5}}""");
        Assert.Equal([0, 0, 0], files.Load(json).Encode("aaa"));
    }

    private static string Characters(JsonNode json, string text)
    {
        using var files = new TokenizerFiles();
        var tokenizer = files.Load(json);
        return string.Concat(tokenizer.Encode(text).Select(id => tokenizer.IdToToken(id)));
    }
}
