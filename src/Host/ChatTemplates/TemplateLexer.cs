using System.Globalization;
using System.Text;

namespace RepNoise.Host.ChatTemplates;

/// <summary>Kinds of token.</summary>
internal enum TokenKind
{
    /// <summary>Text outside tags.</summary>
    Text,

    /// <summary><c>{{</c>.</summary>
    OutputBegin,

    /// <summary><c>}}</c>.</summary>
    OutputEnd,

    /// <summary><c>{%</c>.</summary>
    BlockBegin,

    /// <summary><c>%}</c>.</summary>
    BlockEnd,

    Name,
    String,
    Integer,
    Real,
    Operator,
    End,
}

/// <summary>A token: its text, or a string's value.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line);

/// <summary>
/// Cuts a Jinja template into tokens, with whitespace as transformers sets it: <c>trim_blocks</c> (the line break after a block falls
/// away), <c>lstrip_blocks</c> (so do blanks before a block that begins its line), <c>-</c> and <c>+</c> beside a tag's braces, and
/// without the template's own last line break.
/// </summary>
internal sealed class TemplateLexer
{
    private static readonly string[] Operators =
        ["**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|"];

    private readonly string source;
    private readonly List<Token> tokens = [];
    private int at;
    private int line = 1;
    private bool atLineStart = true;

    private TemplateLexer(string source)
    {
        source = source.ReplaceLineEndings("\n");
        this.source = source.EndsWith('\n') ? source[..^1] : source;
    }

    /// <exception cref="TemplateFault">A tag is not closed, or holds a character that begins nothing.</exception>
    public static IReadOnlyList<Token> Read(string source) => new TemplateLexer(source).Run();

    private List<Token> Run()
    {
        while (at < source.Length)
        {
            int tag = NextTag();
            ReadText(tag);
            if (at >= source.Length) break;
            char kind = source[at + 1];
            Advance(2);
            if (at < source.Length && source[at] is '-' or '+') Advance(1);
            if (kind == '#') SkipComment();
            else ReadTag(kind == '{');
        }

        tokens.Add(new Token(TokenKind.End, "", line));
        return tokens;
    }

    private int NextTag()
    {
        for (int i = at; i + 1 < source.Length; i++)
        {
            if (source[i] == '{' && source[i + 1] is '{' or '%' or '#') return i;
        }

        return source.Length;
    }

    /// <summary>The text up to a tag, without what the tag's whitespace rules take.</summary>
    private void ReadText(int tag)
    {
        string text = source[at..tag];
        char sign = tag + 2 < source.Length ? source[tag + 2] : ' ';
        string kept = text;
        if (tag < source.Length && sign == '-')
        {
            kept = text.TrimEnd();
        }
        else if (tag < source.Length && sign != '+' && source[tag + 1] != '{')
        {
            int lineStart = text.LastIndexOf('\n') + 1;
            if ((lineStart > 0 || atLineStart) && text.AsSpan(lineStart).IsWhiteSpace()) kept = text[..lineStart];
        }

        if (kept.Length > 0) tokens.Add(new Token(TokenKind.Text, kept, line));
        Advance(text.Length);
    }

    private void SkipComment()
    {
        int begun = line, end = source.IndexOf("#}", at, StringComparison.Ordinal);
        if (end < 0) throw new TemplateFault(begun, "a comment is not closed", "#} after {#");
        Advance(end - at);
        char sign = source[at - 1];
        Close(sign, 2, takesLineBreak: true);
    }

    private void ReadTag(bool isOutput)
    {
        int begun = line;
        string end = isOutput ? "}}" : "%}";
        tokens.Add(new Token(isOutput ? TokenKind.OutputBegin : TokenKind.BlockBegin, "", line));
        int depth = 0;
        while (true)
        {
            while (at < source.Length && char.IsWhiteSpace(source[at])) Advance(1);
            if (at >= source.Length) throw new TemplateFault(begun, "a tag is not closed", $"{end} after it");
            char sign = source[at] is '-' or '+' ? source[at] : ' ';
            if (depth == 0 && string.CompareOrdinal(source, at + (sign == ' ' ? 0 : 1), end, 0, 2) == 0)
            {
                tokens.Add(new Token(isOutput ? TokenKind.OutputEnd : TokenKind.BlockEnd, "", line));
                Close(sign, sign == ' ' ? 2 : 3, takesLineBreak: !isOutput);
                return;
            }

            ReadToken(ref depth);
        }
    }

    /// <summary>Passes a tag's end and the whitespace behind it that the rules take.</summary>
    private void Close(char sign, int length, bool takesLineBreak)
    {
        Advance(length);
        int before = at;
        if (sign == '-')
        {
            while (at < source.Length && char.IsWhiteSpace(source[at])) Advance(1);
        }
        else if (takesLineBreak && sign != '+' && at < source.Length && source[at] == '\n')
        {
            Advance(1);
        }

        atLineStart = at > before && source[at - 1] == '\n';
    }

    private void ReadToken(ref int depth)
    {
        char c = source[at];
        int begun = at;
        if (char.IsLetter(c) || c == '_')
        {
            while (at < source.Length && (char.IsLetterOrDigit(source[at]) || source[at] == '_')) Advance(1);
            tokens.Add(new Token(TokenKind.Name, source[begun..at], line));
        }
        else if (char.IsAsciiDigit(c))
        {
            ReadNumber();
        }
        else if (c is '"' or '\'')
        {
            ReadString(c);
        }
        else
        {
            string text = Operators.FirstOrDefault(o => string.CompareOrdinal(source, at, o, 0, o.Length) == 0)
                ?? throw new TemplateFault(line, $"found '{c}' in a tag", "a name, a number, a text or an operator");
            depth += text is "(" or "[" or "{" ? 1 : text is ")" or "]" or "}" ? -1 : 0;
            tokens.Add(new Token(TokenKind.Operator, text, line));
            Advance(text.Length);
        }
    }

    private void ReadNumber()
    {
        int begun = at;
        while (at < source.Length && char.IsAsciiDigit(source[at])) Advance(1);
        bool isReal = at + 1 < source.Length && source[at] == '.' && char.IsAsciiDigit(source[at + 1]);
        if (isReal)
        {
            Advance(1);
            while (at < source.Length && char.IsAsciiDigit(source[at])) Advance(1);
        }

        tokens.Add(new Token(isReal ? TokenKind.Real : TokenKind.Integer, source[begun..at], line));
    }

    private void ReadString(char quote)
    {
        int begun = line;
        var text = new StringBuilder();
        Advance(1);
        while (at < source.Length && source[at] != quote)
        {
            char c = source[at];
            Advance(1);
            if (c == '\\' && at < source.Length) Escape(text);
            else text.Append(c);
        }

        if (at >= source.Length) throw new TemplateFault(begun, "a text is not closed", $"{quote} after it");
        Advance(1);
        tokens.Add(new Token(TokenKind.String, text.ToString(), begun));
    }

    /// <summary>As in a Python text: an unknown escape stands for itself, the backslash included.</summary>
    private void Escape(StringBuilder text)
    {
        char c = source[at];
        Advance(1);
        int digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0 && at + digits <= source.Length
            && int.TryParse(source.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code) && Rune.IsValid(code))
        {
            text.Append(new Rune(code).ToString());
            Advance(digits);
            return;
        }

        text.Append(c switch
        {
            'n' => "\n",
            't' => "\t",
            'r' => "\r",
            '\\' or '\'' or '"' => c.ToString(),
            '\n' => "",
            _ => "\\" + c,
        });
    }

    private void Advance(int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (source[at++] == '\n') line++;
        }
    }
}
