using System.Globalization;

namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>
/// Reads the part of Oniguruma's syntax that tokenizers use: alternation, groups (capturing ones too, nothing refers back),
/// <c>(?i:...)</c> over ASCII, look-ahead, atomic groups, classes (<see cref="RegexClassParser"/>), and greedy, lazy and
/// possessive quantifiers. As in Oniguruma, <c>^</c> and <c>$</c> are about lines, <c>.</c> is all but <c>\n</c>, and a
/// <c>+</c> after <c>{n,m}</c> repeats the repetition. Anything else is refused by name, never guessed at.
/// </summary>
internal sealed class RegexParser
{
    /// <summary>Nesting beyond this is no tokenizer's; it bounds the recursion here and in the compiler.</summary>
    private const int MaxDepth = 100;

    /// <summary>The largest count in <c>{n,m}</c>.</summary>
    private const int MaxCount = 1000;

    private static readonly RegexNode Empty = new RegexNode.Sequence([]);

    /// <summary>A letter in both cases, made when a pattern first ignores its case.</summary>
    private static readonly RegexNode?[] Folded = new RegexNode?[128];

    private readonly PatternReader reader;
    private int depth;

    private RegexParser(string pattern) => reader = new PatternReader(pattern);

    /// <exception cref="RegexSyntaxException">The pattern is malformed or needs something that is not supported.</exception>
    public static RegexNode Parse(string pattern)
    {
        var parser = new RegexParser(pattern);
        bool ignoreCase = parser.reader.TryTake("(?i)");
        var node = parser.ParseChoice(ignoreCase);
        return parser.reader.AtEnd ? node : throw parser.reader.Malformed("a ) closes nothing");
    }

    private RegexNode ParseChoice(bool ignoreCase)
    {
        if (++depth > MaxDepth)
            throw reader.Malformed($"groups are nested deeper than {MaxDepth}");
        var branches = new List<RegexNode>();
        do
        {
            branches.Add(ParseSequence(ignoreCase));
        }
        while (reader.TryTake('|'));
        depth--;
        return branches.Count == 1 ? branches[0] : new RegexNode.Choice(branches);
    }

    private RegexNode ParseSequence(bool ignoreCase)
    {
        List<RegexNode>? items = null;
        int previousLetter = -1;
        while (!reader.AtEnd && reader.Peek is not ('|' or ')'))
        {
            int letter = reader.Peek;
            if (ignoreCase)
                RegexCaseFolding.RefuseMultiple(reader, previousLetter, letter);
            (items ??= []).Add(ParseQuantified(ignoreCase));
            previousLetter = letter;
        }
        return items is null ? Empty : items.Count == 1 ? items[0] : new RegexNode.Sequence(items);
    }

    private RegexNode ParseQuantified(bool ignoreCase)
    {
        var node = ParseAtom(ignoreCase);
        int quantifiers = 0;
        bool interval = false;
        while (!reader.AtEnd && reader.Peek is '*' or '+' or '?' or '{')
        {
            // Oniguruma stacks quantifiers; of those stacks only {n,m}+ is met in tokenizers.
            if (quantifiers++ > 0 && !(interval && reader.Peek == '+'))
                throw reader.Unsupported("a quantifier on a quantifier");
            interval = reader.Peek == '{';
            var (min, max) = interval ? ParseInterval() : ParseSymbol();
            if (node.Nullable && max != 1)
                throw reader.Unsupported("repeating something that can match nothing");
            node = new RegexNode.Repeat(node, min, max, ParseGreed(interval, min, max));
        }
        return node;
    }

    private (int Min, int Max) ParseSymbol() => reader.Take() switch
    {
        '*' => (0, -1),
        '+' => (1, -1),
        _ => (0, 1),
    };

    private Greed ParseGreed(bool interval, int min, int max)
    {
        if (reader.TryTake('?'))
            return interval && min == max ? throw reader.Unsupported("{n}?") : Greed.Lazy;
        return !interval && reader.TryTake('+') ? Greed.Possessive : Greed.Greedy;
    }

    /// <summary><c>{n}</c>, <c>{n,}</c>, <c>{,m}</c> or <c>{n,m}</c>.</summary>
    private (int Min, int Max) ParseInterval()
    {
        string body = reader.TakeUntil('{', '}');
        string[] parts = body.Split(',');
        if (parts.Length > 2 || body is "" or ",")
            throw reader.Malformed($"{{{body}}} is no count");
        int min = parts[0] == "" ? 0 : Count(parts[0], body);
        int max = parts.Length == 1 ? min : parts[1] == "" ? -1 : Count(parts[1], body);
        return max < 0 || min <= max ? (min, max) : throw reader.Malformed($"{{{body}}} counts down");
    }

    private int Count(string digits, string body) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count <= MaxCount
            ? count
            : throw reader.Malformed($"{{{body}}} is no count from 0 to {MaxCount}");

    private RegexNode ParseAtom(bool ignoreCase)
    {
        switch (reader.Peek)
        {
            case '(':
                return ParseGroup(ignoreCase);
            case '[':
                return new RegexNode.One(new CodePointSet(RegexClassParser.ParseClass(reader, ignoreCase)));
            case '.':
                reader.Take();
                return new RegexNode.One(new CodePointSet(codePoint => codePoint != '\n'));
            case '^':
                reader.Take();
                return new RegexNode.At(Anchor.LineStart);
            case '$':
                reader.Take();
                return new RegexNode.At(Anchor.LineEnd);
            case '*' or '+' or '?' or '{':
                throw reader.Malformed($"nothing stands before {(char)reader.Peek}");
            case '\\':
                return ParseEscape(ignoreCase);
            default:
                return Literal(reader.Take(), ignoreCase);
        }
    }

    private RegexNode ParseGroup(bool ignoreCase)
    {
        var wrap = ParseGroupKind(ref ignoreCase);
        var body = ParseChoice(ignoreCase);
        return reader.TryTake(')') ? wrap(body) : throw reader.Malformed("a ( is never closed");
    }

    private Func<RegexNode, RegexNode> ParseGroupKind(ref bool ignoreCase)
    {
        if (reader.TryTake("(?="))
            return body => new RegexNode.Look(body, Negative: false);
        if (reader.TryTake("(?!"))
            return body => new RegexNode.Look(body, Negative: true);
        if (reader.TryTake("(?>"))
            return body => new RegexNode.Atomic(body);
        if (reader.TryTake("(?i:"))
            ignoreCase = true;
        else if (reader.TryTake("(?-i:"))
            ignoreCase = false;
        else if (!reader.TryTake("(?:"))
            TakePlainParenthesis();
        return body => body;
    }

    private void TakePlainParenthesis()
    {
        reader.Take();
        if (!reader.AtEnd && reader.Peek == '?')
            throw reader.Unsupported("a group of the kind (" + reader.Ahead(3));
    }

    private RegexNode ParseEscape(bool ignoreCase)
    {
        var anchor = reader.PeekAt(1) switch
        {
            'A' => Anchor.TextStart,
            'z' => Anchor.TextEnd,
            'Z' => Anchor.TextEndOrFinalNewline,
            'b' => Anchor.WordBoundary,
            'B' => Anchor.NoWordBoundary,
            _ => (Anchor?)null,
        };
        if (anchor is not null)
        {
            reader.Skip(2);
            return new RegexNode.At(anchor.Value);
        }
        var set = RegexClassParser.TryParseSet(reader, ignoreCase, CodePointSet.WordOutsideClass);
        return set is not null
            ? new RegexNode.One(new CodePointSet(set))
            : Literal(RegexClassParser.ParseEscapedCharacter(reader), ignoreCase);
    }

    private RegexNode Literal(int codePoint, bool ignoreCase)
    {
        if (!ignoreCase)
            return new RegexNode.Literal(codePoint);
        RegexCaseFolding.RequireAscii(reader, codePoint);
        return char.IsAsciiLetter((char)codePoint)
            ? Folded[codePoint] ??= new RegexNode.One(new CodePointSet(RegexCaseFolding.Fold(other => other == codePoint)))
            : new RegexNode.Literal(codePoint);
    }
}
