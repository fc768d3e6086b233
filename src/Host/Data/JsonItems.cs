using System.Text.Unicode;

namespace RepNoise.Host.Data;

/// <summary>The bytes of one row and where they stand.</summary>
/// <param name="Bytes">Valid until the next item is asked for.</param>
/// <param name="Line">Line of the first byte, from 1.</param>
/// <param name="Column">Column of the first byte, in bytes, from 1.</param>
internal readonly record struct JsonItem(ReadOnlyMemory<byte> Bytes, int Line, int Column);

/// <summary>Cuts a stream into the bytes of its rows, without parsing them: one a line, or the elements of a JSON array.</summary>
internal static class JsonItems
{
    /// <summary>Steps over a UTF-8 byte order mark and refuses UTF-16.</summary>
    public static void SkipMark(ByteWindow window, string path)
    {
        while (window.Data.Length < 3 && window.Fill() == ByteWindow.Progress.More)
        {
        }
        var head = window.Data.Span;
        if (head.StartsWith((ReadOnlySpan<byte>)[0xef, 0xbb, 0xbf]))
            window.Skip(3);
        else if (head.StartsWith((ReadOnlySpan<byte>)[0xff, 0xfe]) || head.StartsWith((ReadOnlySpan<byte>)[0xfe, 0xff]))
            throw new DataException(DataFault.Encoding, path, "the file is UTF-16", "UTF-8", "convert it: iconv -f UTF-16 -t UTF-8");
    }

    /// <summary>Steps over white space and returns the byte after it, or -1 at the end.</summary>
    public static int PeekToken(ByteWindow window, ref int line)
    {
        while (true)
        {
            var data = window.Data.Span;
            int skip = 0;
            for (; skip < data.Length && data[skip] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n'; skip++)
                line += data[skip] == '\n' ? 1 : 0;
            window.Skip(skip);
            if (skip < data.Length)
                return data[skip];
            if (window.Fill() != ByteWindow.Progress.More)
                return -1;
        }
    }

    /// <summary>The lines that are not blank.</summary>
    public static IEnumerable<JsonItem> Lines(ByteWindow window, string path, int line)
    {
        for (bool more = true; more; line++)
        {
            int length = LineLength(window, path, line, out more);
            var bytes = window.Data[..length];
            if (bytes.Span.ContainsAnyExcept(" \t\r"u8))
                yield return Checked(new JsonItem(bytes, line, 1), path);
            window.Skip(more ? length + 1 : length);
        }
    }

    /// <summary>The elements of the array that begins at the window's first byte; each must be an object.</summary>
    public static IEnumerable<JsonItem> ArrayElements(ByteWindow window, string path, int line)
    {
        var cursor = new JsonArrayCursor(window, path, line);
        while (cursor.Next(out var item))
            yield return Checked(item, path);
    }

    /// <summary>Makes more bytes visible; false at the end of the stream.</summary>
    public static bool Extend(ByteWindow window, string path, int line) => window.Fill() switch
    {
        ByteWindow.Progress.More => true,
        ByteWindow.Progress.EndOfStream => false,
        _ => throw new DataException(DataFault.TooLong, $"{path}:{line}",
            $"the row that begins here is larger than {RowSource.MaxRowBytes >> 20} MiB",
            "rows of ordinary length", "write one JSON object a line, or a JSON array of objects, and check that no quote is left open"),
    };

    private static int LineLength(ByteWindow window, string path, int line, out bool terminated)
    {
        int seen = 0;
        while (true)
        {
            int at = window.Data.Span[seen..].IndexOf((byte)'\n');
            terminated = at >= 0;
            if (terminated)
                return seen + at;
            seen = window.Data.Length;
            if (!Extend(window, path, line))
                return seen;
        }
    }

    private static JsonItem Checked(JsonItem item, string path)
    {
        if (Utf8.IsValid(item.Bytes.Span))
            return item;
        var span = item.Bytes.Span;
        int bad = FirstInvalid(span);
        int line = item.Line + span[..bad].Count((byte)'\n');
        throw new DataException(DataFault.Encoding, $"{path}:{line}", $"byte 0x{span[bad]:x2} is not valid UTF-8 text", "UTF-8",
            "convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8");
    }

    private static int FirstInvalid(ReadOnlySpan<byte> span)
    {
        for (int at = 0; at < span.Length;)
        {
            if (System.Text.Rune.DecodeFromUtf8(span[at..], out _, out int used) != System.Buffers.OperationStatus.Done)
                return at;
            at += used;
        }
        return 0;
    }
}
