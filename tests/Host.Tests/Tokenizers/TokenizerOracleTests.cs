using System.Text;
using CsCheck;
using RepNoise.Host.Tokenizers;
using Oracle = Tokenizers.DotNet.Tokenizer;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>Hugging Face's Rust library (through Tokenizers.DotNet) on the same files and generated texts.</summary>
public class TokenizerOracleTests
{
    private const int TextsPerStyle = 2000;

    public static TheoryData<string> Styles => [.. TokenizerStyles.Names];

    [Theory]
    [MemberData(nameof(Styles))]
    public void Encodes_and_decodes_as_the_Rust_library(string style)
    {
        using var files = new TokenizerFiles();
        var json = TokenizerStyles.Make(style);
        string full = files.Write(json.ToJsonString());
        json["post_processor"] = null;
        string raw = files.Write(json.ToJsonString(), "raw.json");
        using var oracle = new Oracle(full);
        using var rawOracle = new Oracle(raw);
        var ours = Tokenizer.Load(full);
        TextGenerator.Texts.Sample(
            text =>
            {
                uint[] expected = oracle.Encode(text);
                AssertSame(expected, ours.Encode(text), text);
                AssertSame(rawOracle.Encode(text), ours.Encode(text, addSpecialTokens: false), text);
                if (expected.Length > 0)
                    Assert.Equal(oracle.Decode(expected), ours.Decode(Array.ConvertAll(expected, id => (int)id)));
            },
            seed: "0N0XIzNsQ0O2", iter: TextsPerStyle, threads: 1);
    }

    [Theory]
    [InlineData("llama2")]
    [InlineData("llama3")]
    [InlineData("metaspace-split")]
    [InlineData("affixes")]
    public void Decodes_any_ids_as_the_Rust_library(string style)
    {
        using var files = new TokenizerFiles();
        string path = files.Write(TokenizerStyles.Make(style).ToJsonString());
        using var oracle = new Oracle(path);
        var ours = Tokenizer.Load(path);
        Gen.Int[0, ours.VocabularySize + 3].Array[1, 40].Sample(
            ids => Assert.Equal(oracle.Decode(Array.ConvertAll(ids, id => (uint)id)), ours.Decode(ids)),
            seed: "0N0XIzNsQ0O2", iter: TextsPerStyle, threads: 1);
    }

    private static void AssertSame(uint[] expected, int[] actual, string text) => Assert.True(
        expected.AsSpan().SequenceEqual(Array.ConvertAll(actual, id => (uint)id)),
        $"{Escape(text)}\nexpected {string.Join(' ', expected)}\nactual   {string.Join(' ', actual)}");

    private static string Escape(string text)
    {
        var escaped = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
            escaped.Append(rune.Value is >= 0x20 and < 0x7F ? rune.ToString() : $"\\u{{{rune.Value:X}}}");
        return escaped.ToString();
    }
}
