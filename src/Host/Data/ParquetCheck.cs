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

    /// <summary>Compressed text shrinks to a tenth; what grows beyond this is made to.</summary>
    private const long LargestGrowth = 1000;
    private const long FreePageBytes = 1 << 16;
    private const long LargestPage = 256 << 20;
    private const int LargestPageHeader = 1 << 16;
    private const int LargestFooter = 64 << 20;
    private const int Uncompressed = 0;

    private record struct Column(long Codec, long Values, long Bytes, long DataOffset, long DictionaryOffset);

    /// <exception cref="FormatException">Something that the file claims cannot be.</exception>
    /// <exception cref="OverflowException">A number in it is out of any range.</exception>
    public static void Run(Stream stream)
    {
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
            for (int i = 0; i < groups; i++) CheckGroup(ref reader, stream, end);
        }

        stream.Position = 0;
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

    private static void CheckGroup(ref ThriftReader reader, Stream stream, long end)
    {
        int field = 0;
        while (reader.Field(ref field) is var kind and not ThriftReader.Kind.Stop)
        {
            if (field == 1 && kind == ThriftReader.Kind.List)
            {
                var (columns, element) = reader.List();
                Require(element == ThriftReader.Kind.Struct, "columns are no structures");
                for (int i = 0; i < columns; i++) CheckPages(ReadColumn(ref reader), stream, end);
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
                if (inner is 4 or 5 or 7 or 9 or 11 && type is ThriftReader.Kind.I32 or ThriftReader.Kind.I64) Set(ref column, inner, reader.Integer());
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
        _ => column with { DictionaryOffset = value },
    };

    /// <summary>Walks over a column's pages, header by header.</summary>
    private static void CheckPages(Column column, Stream stream, long end)
    {
        long at = column.DictionaryOffset > 0 ? Math.Min(column.DictionaryOffset, column.DataOffset) : column.DataOffset;
        Require(at >= 4 && column.Bytes >= 0 && column.Bytes <= end - at, $"a column claims {column.Bytes} bytes from {at} on, of {end}");
        CheckCount("a column claims", "values", column.Values, stream.Length);
        long stop = at + column.Bytes, values = 0;
        byte[] buffer = new byte[(int)Math.Min(LargestPageHeader, stop - at)];
        while (values < column.Values)
        {
            stream.Position = at;
            int length = stream.ReadAtLeast(buffer, (int)Math.Min(buffer.Length, stop - at), throwOnEndOfStream: false);
            var header = buffer.AsSpan(0, (int)Math.Min(length, stop - at));
            var reader = new ThriftReader(header);
            ParquetShapes.PageHeader.Check(ref reader);
            reader = new ThriftReader(header);
            values += ReadPage(ref reader, column.Codec, out long bytes);
            at += reader.Position + bytes;
            Require(at <= stop, "a page reaches beyond its column");
        }

        Require(values == column.Values, $"pages hold {values} values of a column that claims {column.Values}");
    }

    /// <summary>Reads a page's header; the number of its values that count for the column.</summary>
    private static long ReadPage(ref ThriftReader reader, long codec, out long bytes)
    {
        long type = -1, whole = -1, values = 0;
        bytes = -1;
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
                values = FirstInteger(ref reader);
            }
            else
            {
                reader.Skip(kind);
            }
        }

        const int Dictionary = 2;
        Require(whole >= 0 && bytes >= 0 && whole <= LargestPage, $"a page claims {whole} bytes, {bytes} as stored");
        Require(whole <= FreePageBytes + LargestGrowth * bytes && (codec != Uncompressed || whole <= bytes), $"a page claims to grow from {bytes} bytes to {whole}");
        Require(values >= 0 && (type != Dictionary || values <= whole), $"a page claims {values} values");
        return type == Dictionary ? 0 : values;
    }

    /// <summary>Field 1 of a structure, an integer; the rest is stepped over.</summary>
    private static long FirstInteger(ref ThriftReader reader)
    {
        long first = 0;
        int field = 0;
        while (reader.Field(ref field) is var kind and not ThriftReader.Kind.Stop)
        {
            if (field == 1 && kind == ThriftReader.Kind.I32) first = reader.Integer();
            else reader.Skip(kind);
        }

        return first;
    }

    private static void CheckCount(string who, string what, long count, long fileBytes) =>
        Require(count >= 0 && count <= FreeRows + fileBytes, $"{who} {count} {what} in a file of {fileBytes} bytes");

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new FormatException(otherwise);
    }
}
