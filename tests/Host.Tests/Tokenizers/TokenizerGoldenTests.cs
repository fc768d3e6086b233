using System.Text.Json;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Tokenizers;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>The cases on which Hugging Face's Rust and JavaScript tokenizers agree.</summary>
public class TokenizerGoldenTests
{
    [Theory]
    [InlineData("bytelevel-bpe")]
    [InlineData("llama-bpe")]
    public void Agrees_on_all_thirty_cases(string kind)
    {
        string folder = Path.Combine(TokenizerFiles.Goldens(), kind);
        var tokenizer = Tokenizer.Load(folder);
        int cases = 0;
        foreach (string line in File.ReadLines(Path.Combine(folder, "cases.jsonl")))
        {
            using var json = JsonDocument.Parse(line);
            string text = json.RootElement.GetProperty("text").GetString()!;
            int[] ids = Ids(json, "ids");
            Assert.Equal(ids, tokenizer.Encode(text));
            Assert.Equal(Ids(json, "ids_raw"), tokenizer.Encode(text, addSpecialTokens: false));
            Assert.Equal(json.RootElement.GetProperty("decoded").GetString(), tokenizer.Decode(ids));
            cases++;
        }
        Assert.Equal(30, cases);
    }

    [Fact]
    public void Every_id_and_its_token_lead_to_each_other()
    {
        var tokenizer = Tokenizer.Load(Path.Combine(TokenizerFiles.Goldens(), "bytelevel-bpe", "tokenizer.json"));
        Assert.Equal(802, tokenizer.VocabularySize);
        for (int id = 0; id < tokenizer.VocabularySize; id++)
            Assert.Equal(id, tokenizer.TokenToId(tokenizer.IdToToken(id)!));
        Assert.Equal(800, tokenizer.TokenToId("<|endoftext|>"));
        Assert.Null(tokenizer.TokenToId("no such token"));
        Assert.Null(tokenizer.IdToToken(802));
        Assert.Null(tokenizer.IdToToken(-1));
    }

    private static int[] Ids(JsonDocument json, string key) =>
        [.. json.RootElement.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];
}
