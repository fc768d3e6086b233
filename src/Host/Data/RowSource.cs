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
        foreach (var row in Read(stream, path))
            yield return row;
    }

    /// <summary>The rows of a stream that can seek.</summary>
    /// <param name="stream">Stands at its beginning.</param>
    /// <param name="path">The file, for messages.</param>
    internal static IEnumerable<DataRow> Read(Stream stream, string path)
    {
        if (stream.Length == 0)
            throw Empty(path);
        bool parquet = HasMagic(stream, "PAR1"u8);
        if (!parquet && Path.GetExtension(path).ToLowerInvariant() is ".parquet" or ".pq")
            throw new DataException(DataFault.Syntax, path, "the file is named as Parquet and does not begin with PAR1, as every Parquet file does",
                "a Parquet file, or a name that ends in .jsonl or .json",
                "check what it is, a web page or a pointer of git lfs perhaps; rename it if it is JSON, download it again if it is not");
        return parquet ? ParquetRows.Read(stream, path) : ReadJson(stream, path);
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

    private static IEnumerable<DataRow> ReadJson(Stream stream, string path)
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

    private static bool HasMagic(Stream stream, ReadOnlySpan<byte> magic)
    {
        Span<byte> head = stackalloc byte[4];
        int read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        return head[..read].StartsWith(magic);
    }
}
