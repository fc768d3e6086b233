using System.Buffers;
using System.Buffers.Binary;

namespace RepNoise.Host.Data;

/// <summary>
/// Checks what a Parquet file claims before the library that reads it believes it: lengths and offsets lie inside the file, pages
/// hold as many values as their column claims, and no more memory is asked for than the bytes can pay for. The library takes memory
/// as the file says, and reads on at the end of it.
/// Format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
/// </summary>
internal static class ParquetCheck
{
    /// <summary>Rows that any file may have; above that, not more than it has bytes, since each has a text of its own.</summary>
    private const long FreeRows = 1 << 16;

    /// <summary>
    /// What a compressed page may grow to: a megabyte, the size at which writers begin another page, and beyond that as many times
    /// its bytes. Text shrinks to a tenth; what grows beyond a hundred times is made to. Snappy cannot do better than 22.
    /// </summary>
    private const long FreePageBytes = 1 << 20;
    private const long LargestGrowth = 100;
    private const long LargestSnappyGrowth = 24;
    private const long LargestPage = 256 << 20;

    /// <summary>A header has some dozen bytes, and may hold the least and the greatest text of its page.</summary>
    private const int UsualPageHeader = 1 << 12;
    private const int LargestPageHeader = 64 << 20;
    private const int LargestFooter = 64 << 20;

    // Codecs, as the format numbers them.
    private const int Uncompressed = 0;
    private const int Snappy = 1;
    private const int Zstandard = 6;

    private record struct Column(long Codec, long Values, long Bytes, long DataOffset, long IndexOffset, long DictionaryOffset);

    /// <returns>Where the pages of a column end and none begins that was checked.</returns>
    /// <exception cref="FormatException">Something that the file claims cannot be.</exception>
    /// <exception cref="OverflowException">A number in it is out of any range.</exception>
    public static IReadOnlySet<long> Run(Stream stream)
    {
        var (begins, ends) = (new HashSet<long>(), new HashSet<long>());
        byte[] footer = ReadFooter(stream);
        long end = stream.Length - 8 - footer.Length;
        var reader = new ThriftReader(footer);
        ParquetShapes.FileMetaData.Check(ref reader);
        reader = new ThriftReader(footer);
        int field = 0;
        while (reader.Field(ref field) is var kind and not ThriftReader.Kind.Stop)
        {
            if (field != 4 || kind != ThriftReader.Kind.List)
            {
                reader.Skip(kind);
                continue;
            }

            var (groups, element) = reader.List();
            Require(element == ThriftReader.Kind.Struct, "row groups are no structures");
            for (int i = 0; i < groups; i++) CheckGroup(ref reader, stream, end, begins, ends);
        }

        stream.Position = 0;
        ends.ExceptWith(begins);
        return ends;
    }

    private static byte[] ReadFooter(Stream stream)
    {
        Require(stream.Length >= 12, $"the file has {stream.Length} bytes");
        Span<byte> tail = stackalloc byte[8];
        stream.Position = stream.Length - 8;
        stream.ReadExactly(tail);
        Require(tail[4..].SequenceEqual("PAR1"u8), "the file does not end with PAR1");
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        Require(length <= stream.Length - 12 && length <= LargestFooter, $"the footer claims {length} bytes");
        byte[] footer = new byte[length];
        stream.Position = stream.Length - 8 - length;
        stream.ReadExactly(footer);
        return footer;
    }

    private static void CheckGroup(ref ThriftReader reader, Stream stream, long end, HashSet<long> begins, HashSet<long> ends)
    {
        int field = 0;
        while (reader.Field(ref field) is var kind and not ThriftReader.Kind.Stop)
        {
            if (field == 1 && kind == ThriftReader.Kind.List)
            {
                var (columns, element) = reader.List();
                Require(element == ThriftReader.Kind.Struct, "columns are no structures");
                for (int i = 0; i < columns; i++) ends.Add(CheckPages(ReadColumn(ref reader), stream, end, begins));
            }
            else if (field == 3 && kind == ThriftReader.Kind.I64)
            {
                CheckCount("a row group claims", "rows", reader.Integer(), stream.Length);
            }
            else
            {
                reader.Skip(kind);
            }
        }
    }

    private static Column ReadColumn(ref ThriftReader reader)
    {
        var column = default(Column);
        bool found = false;
        int field = 0;
        while (reader.Field(ref field) is var kind and not ThriftReader.Kind.Stop)
        {
            if (field != 3 || kind != ThriftReader.Kind.Struct)
            {
                reader.Skip(kind);
                continue;
            }

            int inner = 0;
            while (reader.Field(ref inner) is var type and not ThriftReader.Kind.Stop)
            {
                if (inner is 4 or 5 or 7 or 9 or 10 or 11 && type is ThriftReader.Kind.I32 or ThriftReader.Kind.I64) Set(ref column, inner, reader.Integer());
                else reader.Skip(type);
            }

            found = true;
        }

        Require(found, "a column lies in another file");
        return column;
    }

    private static void Set(ref Column column, int field, long value) => column = field switch
    {
        4 => column with { Codec = value },
        5 => column with { Values = value },
        7 => column with { Bytes = value },
        9 => column with { DataOffset = value },
        10 => column with { IndexOffset = value },
        _ => column with { DictionaryOffset = value },
    };

    /// <summary>Walks over a column's pages, header by header; where the last one ends.</summary>
    private static long CheckPages(Column column, Stream stream, long end, HashSet<long> begins)
    {
        long at = column.DictionaryOffset > 0 ? Math.Min(column.DictionaryOffset, column.DataOffset) : column.DataOffset;
        Require(at >= 4 && column.Bytes >= 0 && column.Bytes <= end - at, $"a column claims {column.Bytes} bytes from {at} on, of {end}");
        Require(column.IndexOffset == 0 || column.IndexOffset >= at, $"a column's index lies at {column.IndexOffset}, before its pages");
        CheckCount("a column claims", "values", column.Values, stream.Length);
        long stop = at + column.Bytes, values = 0;
        byte[] buffer = new byte[UsualPageHeader];
        while (values < column.Values)
        {
            begins.Add(at);
            var page = ReadPage(stream, at, stop, column.Codec, ref buffer, out int headerBytes);
            long body = at + headerBytes;
            at = body + page.Bytes;
            Require(at <= stop, "a page reaches beyond its column");
            values += page.Values;
            if (column.Codec is Snappy or Zstandard && page.IsCompressed) CheckClaim(stream, body, page, column.Codec);
        }

        Require(values == column.Values, $"pages hold {values} values of a column that claims {column.Values}");
        return at;
    }

    /// <summary>A page's header.</summary>
    /// <param name="Values">Its values that count for the column.</param>
    /// <param name="Bytes">As stored.</param>
    /// <param name="Levels">Bytes of levels, which stand before what is compressed in pages of version 2.</param>
    private readonly record struct Page(long Values, long Bytes, long Levels, bool IsCompressed);

    /// <param name="buffer">Takes headers, and grows with them.</param>
    private static Page ReadPage(Stream stream, long at, long stop, long codec, ref byte[] buffer, out int headerBytes)
    {
        while (true)
        {
            var header = buffer.AsSpan(0, (int)Math.Min(buffer.Length, stop - at));
            stream.Position = at;
            stream.ReadExactly(header);
            try
            {
                var reader = new ThriftReader(header);
                ParquetShapes.PageHeader.Check(ref reader);
                headerBytes = reader.Position;
                reader = new ThriftReader(header);
                return ReadPage(ref reader, codec);
            }
            catch (FormatException) when (header.Length < Math.Min(stop - at, LargestPageHeader))
            {
                // It may go on behind what was read.
                buffer = new byte[buffer.Length * 16];
            }
        }
    }

    private static Page ReadPage(ref ThriftReader reader, long codec)
    {
        const int Dictionary = 2;
        long type = -1, whole = -1, bytes = -1;
        var page = new Page(0, 0, 0, codec != Uncompressed);
        int field = 0;
        while (reader.Field(ref field) is var kind and not ThriftReader.Kind.Stop)
        {
            if (kind is ThriftReader.Kind.I32 && field is 1 or 2 or 3)
            {
                long value = reader.Integer();
                (type, whole, bytes) = field switch { 1 => (value, whole, bytes), 2 => (type, value, bytes), _ => (type, whole, value) };
            }
            else if (kind == ThriftReader.Kind.Struct && field is 5 or 7 or 8)
            {
                page = ReadValues(ref reader, page, isVersion2: field == 8);
            }
            else
            {
                reader.Skip(kind);
            }
        }

        Require(whole >= 0 && bytes >= 0 && whole <= LargestPage, $"a page claims {whole} bytes, {bytes} as stored");
        Require(whole <= Largest(bytes, codec) && (codec != Uncompressed || whole <= bytes), $"a page claims to grow from {bytes} bytes to {whole}");
        Require(page.Values >= 0 && (type != Dictionary || page.Values <= whole), $"a page claims {page.Values} values");
        Require(page.Levels >= 0 && page.Levels <= bytes, $"a page claims {page.Levels} bytes of levels");
        return page with { Bytes = bytes, Values = type == Dictionary ? 0 : page.Values };
    }

    /// <summary>Number of values, field 1 of all kinds of pages, and what version 2 tells beside it.</summary>
    private static Page ReadValues(ref ThriftReader reader, Page page, bool isVersion2)
    {
        int field = 0;
        while (reader.Field(ref field) is var kind and not ThriftReader.Kind.Stop)
        {
            if (field == 1 && kind == ThriftReader.Kind.I32) page = page with { Values = reader.Integer() };
            else if (isVersion2 && field is 5 or 6 && kind == ThriftReader.Kind.I32) page = page with { Levels = page.Levels + reader.Integer() };
            else if (isVersion2 && field == 7) page = page with { IsCompressed = kind == ThriftReader.Kind.True };
            else reader.Skip(kind);
        }

        return page;
    }

    private static long Largest(long bytes, long codec) => FreePageBytes + (codec == Snappy ? LargestSnappyGrowth : LargestGrowth) * bytes;

    /// <summary>
    /// Snappy and Zstandard tell themselves how much they grow to, and it is this that the library takes. Which levels it steps over
    /// in pages of version 2 depends on the column, so what begins before them and behind them is looked at; levels tell little.
    /// </summary>
    private static void CheckClaim(Stream stream, long at, Page page, long codec)
    {
        byte[] body = ArrayPool<byte>.Shared.Rent((int)page.Bytes);
        try
        {
            stream.Position = at;
            stream.ReadExactly(body, 0, (int)page.Bytes);
            CheckClaim(body.AsSpan(0, (int)page.Bytes), codec);
            if (page.Levels > 0) CheckClaim(body.AsSpan((int)page.Levels, (int)(page.Bytes - page.Levels)), codec);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(body);
        }
    }

    private static void CheckClaim(ReadOnlySpan<byte> compressed, long codec)
    {
        if (compressed.IsEmpty) return;
        ulong whole = codec == Snappy ? new ThriftReader(compressed).Varint() : ZstandardBound(compressed);
        Require(whole <= (ulong)Largest(compressed.Length, codec), $"a page claims to grow from {compressed.Length} bytes to {whole}");
    }

    /// <summary>What the library would take; 0 where it refuses the bytes before it takes anything.</summary>
    private static ulong ZstandardBound(ReadOnlySpan<byte> compressed)
    {
        try
        {
            return ZstdSharp.Decompressor.GetDecompressedSize(compressed);
        }
        catch (ZstdSharp.ZstdException)
        {
            return 0;
        }
    }

    private static void CheckCount(string who, string what, long count, long fileBytes) =>
        Require(count >= 0 && count <= FreeRows + fileBytes, $"{who} {count} {what} in a file of {fileBytes} bytes");

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new FormatException(otherwise);
    }
}
