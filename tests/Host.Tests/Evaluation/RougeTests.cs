using System.Text.Json;
using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Tests.Evaluation;

/// <summary>ROUGE and the stemmer against goldens.json, which make_goldens.py wrote with NLTK.</summary>
public sealed class RougeTests : IDisposable
{
    private readonly JsonDocument goldens = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Evaluation", "goldens.json")));

    [Fact]
    public void Words_have_the_stems_that_nltk_gives_them()
    {
        var stems = goldens.RootElement.GetProperty("stems").EnumerateArray().ToList();
        Assert.True(stems.Count > 100);
        Assert.All(stems, pair => Assert.Equal((pair[0].GetString(), pair[1].GetString()), (pair[0].GetString(), PorterStemmer.Stem(pair[0].GetString()!))));
    }

    [Fact]
    public void Scores_are_those_of_the_definition()
    {
        foreach (var golden in goldens.RootElement.GetProperty("rouge").EnumerateArray())
        {
            bool stem = golden.GetProperty("stem").GetBoolean();
            var (reference, text) = (Rouge.Tokens(golden.GetProperty("reference").GetString()!, stem), Rouge.Tokens(golden.GetProperty("text").GetString()!, stem));
            RougeScore[] scores = [Rouge.Ngrams(reference, text, 1), Rouge.Ngrams(reference, text, 2), Rouge.LongestCommonSubsequence(reference, text)];
            foreach (var (score, expected) in scores.Zip(golden.GetProperty("scores").EnumerateArray()))
            {
                Assert.Equal(expected[0].GetDouble(), score.Precision, 1e-12);
                Assert.Equal(expected[1].GetDouble(), score.Recall, 1e-12);
                Assert.Equal(expected[2].GetDouble(), score.Fmeasure, 1e-12);
            }
        }
    }

    public void Dispose() => goldens.Dispose();
}
