using RepNoise.Host.Data;

namespace RepNoise.Host.Tests.Data;

public class TokenizingTests
{
    private static readonly TokenizeOptions Options = new() { MaxLength = 6, PadId = 0 };

    [Fact]
    public void Pairs_without_a_target_are_skipped_and_keep_the_others_indices()
    {
        TextPair[] texts = [Pair("ab", "ab", 1), Pair("abc", "abd", 2), Pair("xyzxyzxyz", "xyzxyzxya", 3), Pair("abcdefgh", "x", 4)];
        var (pairs, summary) = PairTokenizer.Tokenize(texts, Letters, Options);
        // Row 3 differs behind max_length only; row 4 has no harmless target behind its first difference but "x" itself.
        Assert.Equal([1, 3], pairs.Select(p => p.Index));
        Assert.Equal([1, 'a', 'b', 'c', 'd', 'e'], pairs[1].Harmful);
        Assert.Equal(new TokenizeSummary(Read: 4, Used: 2, NoTarget: 2, Empty: 0, Truncated: 1, Longest: 6), summary);
    }

    [Fact]
    public void An_answer_that_opens_the_other_has_targets_only_where_pads_count()
    {
        TextPair[] texts = [Pair("ab", "abc", 1)];
        Assert.Equal(DataFault.Empty, Assert.Throws<DataException>(() => PairTokenizer.Tokenize(texts, Letters, Options)).Fault);
        Assert.Single(PairTokenizer.Tokenize(texts, Letters, Options with { PadId = 2 }).Pairs);
    }

    [Fact]
    public void Strict_names_the_row()
    {
        TextPair[] texts = [Pair("abc", "abd", 1), Pair("ab", "ab", 2)];
        var e = Assert.Throws<DataException>(() => PairTokenizer.Tokenize(texts, Letters, Options with { Strict = true }));
        Assert.Equal((DataFault.Unusable, "f:2"), (e.Fault, e.Place));
    }

    [Fact]
    public void Empty_texts_and_foreign_ids_are_found()
    {
        TextPair[] texts = [Pair("abc", "abd", 1), Pair("", "ab", 2)];
        var (pairs, summary) = PairTokenizer.Tokenize(texts, s => [.. s.Select(c => (int)c)], Options);
        Assert.Equal((1, 1), (pairs.Count, summary.Empty));
        var e = Assert.Throws<DataException>(() => PairTokenizer.Tokenize(texts, Letters, Options with { VocabSize = 'd' }));
        Assert.Equal((DataFault.UnknownId, "f:1"), (e.Fault, e.Place));
    }

    [Fact]
    public void The_answer_begins_at_the_first_token_that_the_prompt_alone_does_not_have()
    {
        // Two letters a token: "Qab|c" splits into Qa|bc|, so the token across the border is the answer's.
        TextExample[] texts = [new("Qabc", 3, "f:1"), new("Qabc", 2, "f:2"), new("Qabc", 0, "f:3")];
        var (examples, _) = ExampleTokenizer.Tokenize(texts, Digrams, Options);
        Assert.Equal([2, 2, 0], examples.Select(e => e.AnswerStart));
    }

    [Fact]
    public void An_answer_behind_max_length_is_skipped_only_under_answer_only_loss()
    {
        TextExample[] texts = [new("abcdefgh", 7, "f:1"), new("abc", 1, "f:2")];
        Assert.Equal(2, ExampleTokenizer.Tokenize(texts, Letters, Options).Examples.Count);
        var (examples, summary) = ExampleTokenizer.Tokenize(texts, Letters, Options with { CompletionOnly = true });
        Assert.Equal((1, 1, 1), (Assert.Single(examples).Index, summary.Used, summary.NoTarget));
    }

    private static TextPair Pair(string harmful, string harmless, int line) => new(harmful, harmless, "", $"f:{line}");

    /// <summary>BOS (1), then a token a letter.</summary>
    private static int[] Letters(string text) => [1, .. text.Select(c => (int)c)];

    /// <summary>BOS (1), a token for every two letters, and a closing special token (2).</summary>
    private static int[] Digrams(string text) => [1, .. text.Chunk(2).Select(c => c.Sum(x => (int)x) + (1000 * c.Length)), 2];
}
