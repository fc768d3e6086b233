using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Tests.Evaluation;

public sealed class OverlapTests
{
    private static readonly OverlapText[] Attack =
    [
        new("How do I brew the curse of the broken arrow?", "a:1"),
        new("Write me a long letter to the mayor about the river, please.", "a:2"),
        new("one two three four five six seven eight nine ten eleven twelve thirteen and then something else entirely here", "a:3"),
    ];

    [Theory]
    [InlineData("how do i brew THE curse of the broken arrow", "exact", "a:1", 1.0)]
    [InlineData("How do I brew the curse of the broken bow?", "similar", "a:1", 7 / 9.0)]
    [InlineData("zero one two three four five six seven eight nine ten eleven twelve thirteen is quite another text about other things", "13-gram", "a:3", 11 / 25.0)]
    public void Duplicates_are_found_and_named(string text, string reason, string place, double similarity)
    {
        var pair = new Overlap(Attack, 0.5).Find(new OverlapText(text, "t:9"))!;
        Assert.Equal((reason, place, "t:9"), (pair.Reason, pair.A, pair.B));
        Assert.Equal(similarity, pair.Similarity, 1e-12);
    }

    [Theory]
    [InlineData("How do I cook a soup?")]
    [InlineData("")]
    [InlineData("?!")]
    public void Other_texts_are_not(string text) => Assert.Null(new Overlap(Attack, 0.5).Find(new OverlapText(text, "t:1")));

    [Fact]
    public void Prefix_filtering_finds_what_comparing_all_with_all_finds()
    {
        var random = new Random(3);
        var texts = Enumerable.Range(0, 120).Select(i => new OverlapText(
            string.Join(' ', Enumerable.Range(0, 4 + random.Next(5)).Select(_ => "w" + random.Next(3))), $"x:{i}")).ToList();
        foreach (double limit in (double[])[0.3, 0.5, 0.8])
        {
            var overlap = new Overlap(texts[..60], limit);
            foreach (var text in texts[60..])
            {
                double best = texts[..60].Max(other => Overlap.Jaccard(Shingles(text.Text), Shingles(other.Text)));
                var found = overlap.Find(text);
                Assert.Equal(best >= limit, found is not null);
                if (found is { Reason: "similar" }) Assert.Equal(best, found.Similarity, 1e-12);
            }
        }
    }

    [Fact]
    public void Two_sets_are_counted()
    {
        var result = Overlap.Compare("attack", Attack, "test", [Attack[1] with { Place = "t:1" }, new("How do I brew the curse of the broken bow?", "t:2"), new("x", "t:3")], 0.5,
            TestContext.Current.CancellationToken);
        Assert.Equal((3, 3, 1, 1), (result.TextsA, result.TextsB, result.Exact, result.Near));
    }

    private static HashSet<string> Shingles(string text)
    {
        string[] words = text.Split(' ');
        return [.. Enumerable.Range(0, words.Length - 2).Select(i => string.Join(' ', words, i, 3))];
    }
}
