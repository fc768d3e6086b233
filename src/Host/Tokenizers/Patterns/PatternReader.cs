using System.Text;
using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>Walks a pattern by code points; knows the place for error messages.</summary>
internal sealed class PatternReader(string pattern)
{
    private readonly int[] codePoints = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];
    private int index;

    public bool AtEnd => index >= codePoints.Length;

    public int Peek => AtEnd ? throw Malformed("the pattern ends too early") : codePoints[index];

    public int Take()
    {
        int codePoint = Peek;
        index++;
        return codePoint;
    }

    /// <summary>The code point so many places ahead, or -1 beyond the end.</summary>
    public int PeekAt(int offset) => index + offset < codePoints.Length ? codePoints[index + offset] : -1;

    public void Skip(int count) => index += count;

    public bool TryTake(char character)
    {
        if (AtEnd || codePoints[index] != character)
            return false;
        index++;
        return true;
    }

    /// <param name="text">Of the basic plane.</param>
    public bool TryTake(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (PeekAt(i) != text[i])
                return false;
        }
        index += text.Length;
        return true;
    }

    /// <summary>The next code points, up to <paramref name="count"/>, without taking them.</summary>
    public string Ahead(int count)
    {
        var text = new StringBuilder();
        foreach (int codePoint in codePoints.AsSpan(index, Math.Min(count, codePoints.Length - index)))
            text.Append(new Rune(codePoint).ToString());
        return text.ToString();
    }

    /// <summary>Takes <paramref name="open"/>, what follows, and <paramref name="close"/>; returns what stood between.</summary>
    public string TakeUntil(char open, char close)
    {
        if (!TryTake(open))
            throw Malformed($"a {open} is missing");
        int length = codePoints.AsSpan(index).IndexOf(close);
        if (length < 0)
            throw Malformed($"a {open} is never closed");
        string text = Ahead(length);
        index += length + 1;
        return text;
    }

    public RegexSyntaxException Malformed(string problem) =>
        new($"the pattern is malformed at character {index + 1}: {Quoted.Plain(problem)}", "a regular expression in Oniguruma's syntax");

    public RegexSyntaxException Unsupported(string construct) => new(
        $"the pattern uses {Quoted.Plain(construct)} at character {index + 1}, which is not supported",
        "alternation, groups, look-ahead, classes with \\p{..}, \\s, \\d and \\w, quantifiers, anchors and (?i:..) over ASCII");
}
