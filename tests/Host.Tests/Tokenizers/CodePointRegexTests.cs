using RepNoise.Host.Tokenizers;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>What each construct matches; the oracle tests show that whole patterns match as in the Rust library.</summary>
public class CodePointRegexTests
{
    [Theory]
    [InlineData("a|ab", "ab", "a")]
    [InlineData("(?:a|ab)c", "abc", "abc")]
    [InlineData("a*?b", "aab", "aab")]
    [InlineData("a{2,3}", "aaaa", "aaa")]
    [InlineData("a{2,3}?", "aaaa", "aa")]
    [InlineData("a{,2}b", "aaab", "aab")]
    [InlineData("(?:ab){2}", "ababab", "abab")]
    [InlineData("(?:ab){1,}?a", "ababab", "aba")]
    [InlineData(@"\p{N}{1,3}+", "123456", "123456")]
    [InlineData("[^a]+", "ab😀ca", "b😀c")]
    [InlineData(".", "😀x", "😀")]
    [InlineData(@"\p{L}+", "-𝒳𐐷x", "𝒳𐐷x")]
    [InlineData(@"\P{L}+", "x𝒳-1", "-1")]
    [InlineData(@"[\]\-a-c\x41\u0042\n]+", "x]-bAB\nz", "]-bAB\n")]
    [InlineData(@"\s+(?!\S)", "   x", "  ")]
    [InlineData(@"\s+(?=x)", "y x", " ")]
    [InlineData("(?i:'s)", "'S", "'S")]
    [InlineData("(?i:'s)", "'ſ", "'ſ")]
    [InlineData("(?i)K[a-z]", "\u212AſX", "\u212Aſ")]
    [InlineData("(?i:[^s])", "Sſsx", "x")]
    [InlineData("(?-i:a)(?i:b)", "AB aB", "aB")]
    [InlineData("^b$", "a\nb\nc", "b")]
    [InlineData(@"\Ab|\bc\b", "ab cd c", "c")]
    [InlineData(@"a\Z", "ba\n", "a")]
    [InlineData(@"\x{1F600}+", "😀😀", "😀😀")]
    [InlineData(@"\s", "\u0085", "\u0085")]
    [InlineData(@"\w", "²", "²")]
    public void Finds(string pattern, string text, string match)
    {
        Assert.True(Find(pattern, text, out string? found));
        Assert.Equal(match, found);
    }

    [Theory]
    [InlineData("(?>a+)ab", "aaab")]
    [InlineData("a++a", "aaa")]
    [InlineData("a?+a", "a")]
    [InlineData(@"\s", "\u180E\u200B\uFEFF\u001C\u001F")]
    [InlineData(@"[\w]", "²")]
    [InlineData(@"\d", "²Ⅷ")]
    [InlineData(@"a\z", "a\n")]
    [InlineData("^$", "a")]
    [InlineData(".", "\n")]
    public void Does_not_find(string pattern, string text) => Assert.False(Find(pattern, text, out _));

    [Theory]
    [InlineData("(a", "never closed")]
    [InlineData("a)", "closes nothing")]
    [InlineData("[a", "too early")]
    [InlineData("[b-a]", "counts down")]
    [InlineData("a{3,2}", "counts down")]
    [InlineData("a{2000}", "no count")]
    [InlineData("a{", "never closed")]
    [InlineData("*a", "nothing stands before")]
    [InlineData(@"\", "too early")]
    [InlineData(@"\x4", "hexadecimal")]
    [InlineData(@"\x{110000}", "hexadecimal")]
    [InlineData(@"(a)\1", @"\1")]
    [InlineData("(?<=a)b", "(?<")]
    [InlineData("(?m:a)", "(?m")]
    [InlineData("[a[b]]", "a class inside a class")]
    [InlineData("[a&&b]", "intersection")]
    [InlineData(@"\p{Greek}", "Greek")]
    [InlineData("(?:a*)*", "match nothing")]
    [InlineData("a**", "quantifier on a quantifier")]
    [InlineData("(?i:é)", "beyond ASCII")]
    [InlineData("(?i:ss)", "ss")]
    [InlineData(@"(?i:\p{Lu})", "Lu")]
    [InlineData(@"\K", @"\K")]
    public void Refuses_by_name(string pattern, string named)
    {
        var error = Assert.Throws<RegexSyntaxException>(() => CodePointRegex.Parse(pattern));
        Assert.Contains(named, error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Nesting_and_size_are_bounded()
    {
        Assert.Throws<RegexSyntaxException>(() => CodePointRegex.Parse(new string('(', 100_000)));
        Assert.Throws<RegexSyntaxException>(() => CodePointRegex.Parse("(?:(?:(?:ab){1000}c){1000}d){1000}"));
    }

    [Fact]
    public void Exponential_backtracking_ends_with_an_error()
    {
        var regex = CodePointRegex.Parse("(?:a|b|ab)*c");
        string text = string.Concat(Enumerable.Repeat("ab", 40));
        long steps = 0;
        Assert.Throws<RegexWorkException>(() => regex.Find(text, 0, ref steps, out _, out _));
    }

    [Theory]
    [InlineData("Isolated", "a|-|b|-|-|c")]
    [InlineData("Removed", "a|b|c")]
    [InlineData("MergedWithPrevious", "a-|b-|-|c")]
    [InlineData("MergedWithNext", "a|-b|-|-c")]
    [InlineData("Contiguous", "a|-|b|--|c")]
    public void Split_behaviors(string behavior, string pieces)
    {
        var text = new SplitText("a-b--c", [new Piece(0, 6, 1)], Growth.OfText("file", 6));
        text.Split(new LiteralPattern("-"), Enum.Parse<SplitBehavior>(behavior), invert: false);
        Assert.Equal(pieces, string.Join('|', text.Pieces.Select(piece => text.Text.Substring(piece.Start, piece.Length))));
    }

    [Fact]
    public void Empty_matches_are_passed_over_after_a_match()
    {
        var segments = new List<Segment>();
        new RegexPattern("a*").Cover("baab", segments);
        Assert.Equal(
            [new(0, 0, true), new(0, 1, false), new(1, 3, true), new(3, 4, false), new(4, 4, true)], segments);
    }

    private static bool Find(string pattern, string text, out string? match)
    {
        long steps = 0;
        bool found = CodePointRegex.Parse(pattern).Find(text, 0, ref steps, out int start, out int end);
        match = found ? text[start..end] : null;
        return found;
    }
}
