using System.Diagnostics;
using RepNoise.Host.Tokenizers;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>Time in proportion to the text, whatever the text: the limits are several times what was measured.</summary>
public class TokenizerSpeedTests
{
    public static TheoryData<string, string> Texts
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string style in (string[])["llama2", "llama3", "gpt4o", "deepseek", "gemma", "added-flags"])
            {
                foreach (string text in (string[])["words", "spaces", "lines", "letter", "word", "controls"])
                    data.Add(style, text);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Texts))]
    public void A_megabyte_takes_seconds_at_most(string style, string kind)
    {
        using var files = new TokenizerFiles();
        var tokenizer = files.Load(TokenizerStyles.Make(style));
        string text = Text(kind);
        var watch = Stopwatch.StartNew();
        int[] ids = tokenizer.Encode(text);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{style}, {kind}: {watch.Elapsed}");
        Assert.NotEmpty(ids);
    }

    [Fact]
    public void Many_threads_get_the_ids_of_one()
    {
        using var files = new TokenizerFiles();
        string path = files.Write(TokenizerStyles.Make("llama3").ToJsonString());
        var shared = Tokenizer.Load(path);
        var random = new Random(7);
        string[] texts = [.. Enumerable.Range(0, 400).Select(_ => Words(random, 200))];
        int[][] expected = [.. texts.Select(text => Tokenizer.Load(path).Encode(text)).Take(20)];
        int[][] actual = new int[texts.Length][];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => actual[i] = shared.Encode(texts[i]));
        for (int i = 0; i < texts.Length; i++)
            Assert.Equal(i < expected.Length ? expected[i] : shared.Encode(texts[i]), actual[i]);
    }

    private static string Text(string kind)
    {
        var random = new Random(42);
        return kind switch
        {
            "words" => Words(random, 1_000_000),
            "spaces" => new string(' ', 1_000_000),
            "lines" => string.Concat(Enumerable.Repeat(new string(' ', 50) + "\n\n", 20_000)),
            "letter" => new string('a', 100_000),
            "word" => string.Concat(Enumerable.Range(0, 100_000).Select(_ => (char)random.Next('a', 'z' + 1))),
            _ => new string('\u0001', 1_000_000),
        };
    }

    private static string Words(Random random, int length)
    {
        string[] words = BpeTrainer.Sample.Split(' ');
        var text = new System.Text.StringBuilder();
        while (text.Length < length)
            text.Append(words[random.Next(words.Length)]).Append(random.Next(9) == 0 ? "\n" : " ").Append(random.Next(99));
        return text.ToString();
    }
}
