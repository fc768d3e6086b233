using System.Globalization;

namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>Reads character classes, the escapes that stand for sets, and the escapes that stand for one character.</summary>
internal static class RegexClassParser
{
    private static readonly Func<int, bool> NoSpace = CodePointSet.Not(CodePointSet.Space);
    private static readonly Func<int, bool> NoDigit = CodePointSet.Not(CodePointSet.Digit);
    private static readonly Func<int, bool> NoWord = CodePointSet.Not(CodePointSet.Word);
    private static readonly Func<int, bool> NoHexDigit = CodePointSet.Not(CodePointSet.HexDigit);

    /// <summary><c>[...]</c>. Oniguruma's nested classes, intersections and POSIX brackets are refused.</summary>
    public static Func<int, bool> ParseClass(PatternReader reader, bool ignoreCase)
    {
        reader.Take();
        bool negated = reader.TryTake('^');
        int categories = 0;
        List<Func<int, bool>> sets = [];
        List<(int First, int Last)> ranges = [];
        if (!reader.AtEnd && reader.Peek == ']')
            throw reader.Unsupported("a class that is empty or starts with ]");
        while (!reader.TryTake(']'))
        {
            if (TryParseCategories(reader, ignoreCase) is { } mask)
                categories |= mask;
            else if (TryParseNamed(reader, CodePointSet.Word) is not { } set)
                ranges.Add(ParseRange(reader, ignoreCase));
            else if (!sets.Contains(set))
                sets.Add(set);
        }
        Func<int, bool> members = new CharacterClass(categories, [.. sets], [.. ranges]).Contains;
        if (ignoreCase)
            members = RegexCaseFolding.Fold(members);
        return negated ? CodePointSet.Not(members) : members;
    }

    /// <summary>
    /// <c>\s \S \d \D \w \W \h \H \p{..} \P{..}</c>, or null (and nothing taken) where something else stands.
    /// <paramref name="word"/> is what <c>\w</c> means at this place.
    /// </summary>
    public static Func<int, bool>? TryParseSet(PatternReader reader, bool ignoreCase, Func<int, bool> word) =>
        TryParseCategories(reader, ignoreCase) is { } mask ? CodePointSet.Categories(mask) : TryParseNamed(reader, word);

    private static Func<int, bool>? TryParseNamed(PatternReader reader, Func<int, bool> word)
    {
        if (reader.PeekAt(0) != '\\')
            return null;
        var set = reader.PeekAt(1) switch
        {
            's' => CodePointSet.Space,
            'S' => NoSpace,
            'd' => CodePointSet.Digit,
            'D' => NoDigit,
            'w' => word,
            'W' => word == CodePointSet.Word ? NoWord : CodePointSet.Not(word),
            'h' => CodePointSet.HexDigit,
            'H' => NoHexDigit,
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

    /// <summary>The general categories of <c>\p{..}</c> or <c>\P{..}</c> as a mask, or null where something else stands.</summary>
    private static int? TryParseCategories(PatternReader reader, bool ignoreCase)
    {
        if (reader.PeekAt(0) != '\\' || reader.PeekAt(1) is not ('p' or 'P'))
            return null;
        bool negated = reader.PeekAt(1) == 'P';
        reader.Skip(2);
        string name = reader.TakeUntil('{', '}');
        if (ignoreCase)
            throw reader.Unsupported($"ignoring the case of \\p{{{name}}}");
        if (name.StartsWith('^'))
        {
            negated = !negated;
            name = name[1..];
        }
        int mask = CodePointSet.CategoryMask(name);
        if (mask == 0)
            throw reader.Unsupported($"\\p{{{name}}} (general categories such as L or Nd are known)");
        return negated ? ~mask : mask;
    }

    private static (int First, int Last) ParseRange(PatternReader reader, bool ignoreCase)
    {
        int first = ParseMember(reader, ignoreCase);
        if (reader.PeekAt(0) != '-' || reader.PeekAt(1) == ']')
            return (first, first);
        reader.Take();
        int last = ParseMember(reader, ignoreCase);
        return first <= last ? (first, last) : throw reader.Malformed("a range in a class counts down");
    }

    private static int ParseMember(PatternReader reader, bool ignoreCase)
    {
        if (reader.Peek == '[')
            throw reader.Unsupported("a class inside a class");
        if (reader.PeekAt(0) == '&' && reader.PeekAt(1) == '&')
            throw reader.Unsupported("an intersection of classes (&&)");
        if (reader.TryTake(@"\b"))
            return '\b';
        int member = reader.Peek == '\\' ? ParseEscapedCharacter(reader) : reader.Take();
        if (ignoreCase)
            RegexCaseFolding.RequireAscii(reader, member);
        return member;
    }

    /// <summary>What stands between the brackets. Asking allocates nothing: a class is asked of every code point of a block.</summary>
    private sealed class CharacterClass(int categories, Func<int, bool>[] sets, (int First, int Last)[] ranges)
    {
        public bool Contains(int codePoint)
        {
            foreach (var (first, last) in ranges)
            {
                if (first <= codePoint && codePoint <= last)
                    return true;
            }
            if ((CodePoint.CategoryBit(codePoint) & categories) != 0)
                return true;
            foreach (var set in sets)
            {
                if (set(codePoint))
                    return true;
            }
            return false;
        }
    }
}
