namespace RepNoise.Host.Data;

/// <summary>
/// Walks over the elements of a JSON array by counting brackets outside of strings, so that a file of any size is read one
/// object at a time. What stands inside an element is judged later, by the JSON parser.
/// </summary>
internal sealed class JsonArrayCursor
{
    private readonly ByteWindow window;
    private readonly string path;
    private int line;
    private int column = 1;
    private int pending;
    private bool first = true;

    /// <param name="window">Stands on the array's opening bracket.</param>
    /// <param name="path">The file, for messages.</param>
    /// <param name="line">Line of the bracket, from 1.</param>
    public JsonArrayCursor(ByteWindow window, string path, int line)
    {
        (this.window, this.path, this.line) = (window, path, line);
        Consume(1);
    }

    /// <summary>Finds the next element; false after the closing bracket.</summary>
    /// <exception cref="DataException">The array is broken or an element is no object.</exception>
    public bool Next(out JsonItem item)
    {
        Consume(pending);
        pending = 0;
        item = default;
        int token = Separator();
        if (token == ']')
            return End();
        if (token != '{')
            throw Broken(token, "an object in braces");
        pending = ElementLength();
        item = new JsonItem(window.Data[..pending], line, column);
        first = false;
        return true;
    }

    /// <summary>Steps over the comma between elements and returns the byte that opens the next one, or the closing bracket.</summary>
    private int Separator()
    {
        int token = SkipSpace();
        if (first || token == ']')
            return token;
        if (token != ',')
            throw Broken(token, "a comma or the closing bracket");
        Consume(1);
        token = SkipSpace();
        return token == ']' ? throw Broken(token, "another object after the comma") : token;
    }

    private bool End()
    {
        Consume(1);
        int token = SkipSpace();
        return token < 0 ? false : throw Broken(token, "nothing after the array's closing bracket");
    }

    private int ElementLength()
    {
        int depth = 0;
        bool quoted = false;
        for (int at = 0; ;)
        {
            var data = window.Data.Span;
            for (; at < data.Length; at++)
            {
                byte c = data[at];
                if (quoted)
                {
                    if (c == '\\')
                        at++;
                    else if (c == '"')
                        quoted = false;
                }
                else if (c == '"')
                    quoted = true;
                else if (c is (byte)'{' or (byte)'[')
                    depth++;
                else if (c is (byte)'}' or (byte)']' && --depth == 0)
                    return at + 1;
            }
            if (!JsonItems.Extend(window, path, line))
                throw new DataException(DataFault.Syntax, $"{path}:{line}:{column}", "the file ends inside the object that begins here",
                    "a complete JSON array", "check that the file was written completely and that no quote or bracket is left open");
        }
    }

    private int SkipSpace()
    {
        while (true)
        {
            int skip = window.Data.Span.IndexOfAnyExcept(" \t\r\n"u8);
            bool found = skip >= 0;
            Consume(found ? skip : window.Data.Length);
            if (found)
                return window.Data.Span[0];
            if (!JsonItems.Extend(window, path, line))
                return -1;
        }
    }

    private void Consume(int count)
    {
        var passed = window.Data.Span[..count];
        int lastBreak = passed.LastIndexOf((byte)'\n');
        line += passed.Count((byte)'\n');
        column = lastBreak < 0 ? column + count : count - lastBreak;
        window.Skip(count);
    }

    private DataException Broken(int token, string expected) => new(
        DataFault.Syntax, $"{path}:{line}:{column}",
        token < 0 ? "the array ends without its closing bracket"
            : token is > 32 and < 127 ? $"found '{(char)token}'"
            : $"found byte 0x{token:x2}",
        expected, "correct the JSON array at this place");
}
