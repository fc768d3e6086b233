namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>What a Split or Replace looks for: a literal string, or a regular expression over code points.</summary>
internal abstract class TextPattern
{
    /// <summary>Reads <c>{"String": ...}</c> or <c>{"Regex": ...}</c>.</summary>
    public static TextPattern Read(JsonView value)
    {
        var fields = value.Fields("String", "Regex");
        var literal = fields.Optional("String");
        var regex = fields.Optional("Regex");
        if (literal is null == regex is null)
            throw value.Error("the pattern is neither one String nor one Regex", "{\"String\": text} or {\"Regex\": pattern}");
        if (regex is not null)
            return new RegexPattern(regex.Value);
        string text = literal!.Value.AsString();
        return text.Length > 0 ? new LiteralPattern(text) : throw literal.Value.Error("the string is empty", "a string to look for");
    }

    /// <summary>
    /// Fills <paramref name="segments"/> with the matches and the gaps between them, in order; together they are the whole
    /// text. An empty match directly after another match is passed over, as Oniguruma's iterator does.
    /// </summary>
    public void Cover(ReadOnlySpan<char> text, List<Segment> segments)
    {
        segments.Clear();
        int previous = 0, from = 0, lastEnd = -1;
        long steps = 0;
        while (from <= text.Length && Find(text, from, ref steps, out int start, out int end))
        {
            if (start == end && end == lastEnd)
            {
                from += CodePoint.UnitsAt(text, from);
                continue;
            }
            from = lastEnd = end;
            if (previous != start)
                segments.Add(new Segment(previous, start, IsMatch: false));
            segments.Add(new Segment(start, end, IsMatch: true));
            previous = end;
        }
        if (previous != text.Length)
            segments.Add(new Segment(previous, text.Length, IsMatch: false));
    }

    /// <summary>The first match at or after <paramref name="from"/>; <paramref name="steps"/> adds up the work done on this text.</summary>
    protected abstract bool Find(ReadOnlySpan<char> text, int from, ref long steps, out int start, out int end);
}

/// <summary>A string, compared unit by unit.</summary>
internal sealed class LiteralPattern(string literal) : TextPattern
{
    protected override bool Find(ReadOnlySpan<char> text, int from, ref long steps, out int start, out int end)
    {
        int offset = text[from..].IndexOf(literal, StringComparison.Ordinal);
        start = from + offset;
        end = start + literal.Length;
        return offset >= 0;
    }
}

/// <summary>A regular expression in Oniguruma's syntax, the one tokenizer.json is written in.</summary>
internal sealed class RegexPattern : TextPattern
{
    private readonly CodePointRegex regex;
    private readonly JsonView source;

    /// <summary>A pattern of our own, known to be valid and to need linear time.</summary>
    public RegexPattern(string pattern) => regex = CodePointRegex.Parse(pattern);

    /// <summary>A pattern from a file.</summary>
    public RegexPattern(JsonView source)
    {
        this.source = source;
        try
        {
            regex = CodePointRegex.Parse(source.AsString());
        }
        catch (RegexSyntaxException problem)
        {
            throw source.Error(problem.Problem, problem.Expected, inner: problem);
        }
    }

    protected override bool Find(ReadOnlySpan<char> text, int from, ref long steps, out int start, out int end)
    {
        try
        {
            return regex.Find(text, from, ref steps, out start, out end);
        }
        catch (RegexWorkException problem)
        {
            throw source.Error(
                $"the pattern took {problem.Steps} steps on {text.Length} characters",
                "a pattern that needs time in proportion to the text",
                "shorten the text, or simplify the pattern", problem);
        }
    }
}
