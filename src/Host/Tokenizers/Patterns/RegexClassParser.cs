using System.Globalization;

namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>Reads character classes, the escapes that stand for sets, and the escapes that stand for one character.</summary>
internal static class RegexClassParser
{
    /// <summary><c>[...]</c>. Oniguruma's nested classes, intersections and POSIX brackets are refused.</summary>
    public static Func<int, bool> ParseClass(PatternReader reader, bool ignoreCase)
    {
        reader.Take();
        bool negated = reader.TryTake('^');
        var terms = new List<Func<int, bool>>();
        var ranges = new List<(int First, int Last)>();
        if (!reader.AtEnd && reader.Peek == ']')
            throw reader.Unsupported("a class that is empty or starts with ]");
        while (!reader.TryTake(']'))
        {
            if (TryParseSet(reader, ignoreCase, CodePointSet.Word) is { } set)
                terms.Add(set);
            else
                ranges.Add(ParseRange(reader, ignoreCase));
        }
        var sorted = ranges.ToArray();
        terms.Add(codePoint => Array.Exists(sorted, range => range.First <= codePoint && codePoint <= range.Last));
        var union = terms.ToArray();
        Func<int, bool> members = codePoint => Array.Exists(union, term => term(codePoint));
        if (ignoreCase)
            members = RegexCaseFolding.Fold(members);
        return negated ? CodePointSet.Not(members) : members;
    }

    /// <summary>
    /// <c>\s \S \d \D \w \W \h \H \p{..} \P{..}</c>, or null (and nothing taken) where something else stands.
    /// <paramref name="word"/> is what <c>\w</c> means at this place.
    /// </summary>
    public static Func<int, bool>? TryParseSet(PatternReader reader, bool ignoreCase, Func<int, bool> word)
    {
        string escape = reader.Ahead(2);
        if (escape is @"\p" or @"\P")
            return ParseProperty(reader, negated: escape == @"\P", ignoreCase);
        Func<int, bool>? set = escape switch
        {
            @"\s" => CodePointSet.Space,
            @"\S" => CodePointSet.Not(CodePointSet.Space),
            @"\d" => CodePointSet.Digit,
            @"\D" => CodePointSet.Not(CodePointSet.Digit),
            @"\w" => word,
            @"\W" => CodePointSet.Not(word),
            @"\h" => CodePointSet.HexDigit,
            @"\H" => CodePointSet.Not(CodePointSet.HexDigit),
            _ => null,
        };
        if (set is not null)
            reader.Skip(2);
        return set;
    }

    /// <summary>An escape that stands for one character: <c>\n</c>, <c>\x41</c>, <c>\u0041</c>, <c>\.</c> and the like.</summary>
    public static int ParseEscapedCharacter(PatternReader reader)
    {
        reader.Take();
        int escaped = reader.Peek;
        if (escaped >= 128 || !char.IsAsciiLetterOrDigit((char)escaped))
            return reader.Take();
        int? control = (char)escaped switch
        {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\f',
            'v' => '\v',
            'a' => '\a',
            'e' => 0x1B,
            _ => null,
        };
        if (control is null && escaped is not ('x' or 'u'))
            throw reader.Unsupported($"\\{(char)escaped}");
        reader.Take();
        return control ?? ParseHexadecimal(reader, digits: escaped == 'x' ? 2 : 4);
    }

    private static int ParseHexadecimal(PatternReader reader, int digits)
    {
        bool braced = digits == 2 && !reader.AtEnd && reader.Peek == '{';
        string text = braced ? reader.TakeUntil('{', '}') : reader.Ahead(digits);
        if (!braced)
            reader.Skip(text.Length);
        bool valid = int.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            && (braced || text.Length == digits) && value is >= 0 and <= 0x10FFFF and not (>= 0xD800 and <= 0xDFFF);
        return valid ? value : throw reader.Malformed($"{text} is no code point in hexadecimal");
    }

    private static Func<int, bool> ParseProperty(PatternReader reader, bool negated, bool ignoreCase)
    {
        reader.Skip(2);
        string name = reader.TakeUntil('{', '}');
        if (ignoreCase)
            throw reader.Unsupported($"ignoring the case of \\p{{{name}}}");
        if (name.StartsWith('^'))
        {
            negated = !negated;
            name = name[1..];
        }
        if (CodePointSet.CategoryMask(name) == 0)
            throw reader.Unsupported($"\\p{{{name}}} (general categories such as L or Nd are known)");
        var category = CodePointSet.Category(name);
        return negated ? CodePointSet.Not(category) : category;
    }

    private static (int First, int Last) ParseRange(PatternReader reader, bool ignoreCase)
    {
        int first = ParseMember(reader, ignoreCase);
        string next = reader.Ahead(2);
        if (!next.StartsWith('-') || next == "-]")
            return (first, first);
        reader.Take();
        int last = ParseMember(reader, ignoreCase);
        return first <= last ? (first, last) : throw reader.Malformed("a range in a class counts down");
    }

    private static int ParseMember(PatternReader reader, bool ignoreCase)
    {
        if (reader.Peek == '[')
            throw reader.Unsupported("a class inside a class");
        if (reader.Ahead(2) == "&&")
            throw reader.Unsupported("an intersection of classes (&&)");
        if (reader.TryTake(@"\b"))
            return '\b';
        int member = reader.Peek == '\\' ? ParseEscapedCharacter(reader) : reader.Take();
        if (ignoreCase)
            RegexCaseFolding.RequireAscii(reader, member);
        return member;
    }
}
