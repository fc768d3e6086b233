namespace RepNoise.Host.Data;

/// <summary>
/// Opens a data file as a stream of rows. The content decides: <c>PAR1</c> is Parquet, <c>[</c> a JSON array of objects, and
/// everything else JSON lines. Text is UTF-8 with or without a byte order mark. Memory is bounded by the largest row.
/// </summary>
public static class RowSource
{
    /// <summary>Largest row in bytes: far above any real text, far below what could exhaust memory.</summary>
    public const int MaxRowBytes = 64 << 20;

    /// <summary>The rows of <paramref name="path"/>, read as they are asked for.</summary>
    /// <exception cref="DataException">The file cannot be opened or read; raised while enumerating.</exception>
    public static IEnumerable<DataRow> Read(string path)
    {
        using var stream = Open(path);
        if (stream.Length == 0)
            throw Empty(path);
        var rows = HasMagic(stream, "PAR1"u8) ? ParquetRows.Read(stream, path) : ReadJson(stream, path);
        foreach (var row in rows)
            yield return row;
    }

    internal static FileStream Open(string path)
    {
        try
        {
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (stream.CanSeek)
                return stream;
            stream.Dispose();
            throw new IOException("it is a pipe, and the file's kind is found by looking at it first");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new DataException(DataFault.Unreadable, path, $"the file cannot be opened ({e.Message.TrimEnd('.')})",
                "a readable file", Directory.Exists(path) ? "name a file inside this folder" : "check the path and its permissions", e);
        }
    }

    internal static DataException Empty(string path) => new(
        DataFault.Empty, path, "the file holds no rows", "a JSON array, JSON lines or Parquet with at least one row",
        "check that it was written completely");

    private static IEnumerable<DataRow> ReadJson(FileStream stream, string path)
    {
        if (HasMagic(stream, [0x1f, 0x8b]))
            throw new DataException(DataFault.Encoding, path, "the file is compressed with gzip", "plain text or Parquet",
                "unpack it with gunzip");
        var window = new ByteWindow(stream, MaxRowBytes);
        JsonItems.SkipMark(window, path);
        int line = 1;
        int first = JsonItems.PeekToken(window, ref line);
        if (first < 0)
            throw Empty(path);
        var items = first == '[' ? JsonItems.ArrayElements(window, path, line) : JsonItems.Lines(window, path, line);
        return JsonRows.Read(items, path);
    }

    private static bool HasMagic(FileStream stream, ReadOnlySpan<byte> magic)
    {
        Span<byte> head = stackalloc byte[4];
        int read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        return head[..read].StartsWith(magic);
    }
}
