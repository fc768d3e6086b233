namespace RepNoise.Host.Data;

/// <summary>
/// Reads the compact protocol of Thrift, in which Parquet writes its footer and page headers, as far as needed to check them. The
/// bytes come from outside: every read is checked against their end, and nothing is allocated.
/// Format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
/// </summary>
/// <param name="bytes">The bytes; a structure begins at the first.</param>
internal ref struct ThriftReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>Parquet's own structures nest some six deep.</summary>
    private const int MaxDepth = 32;

    private readonly ReadOnlySpan<byte> bytes = bytes;

    /// <summary>Bytes read so far.</summary>
    public int Position { get; private set; }

    /// <summary>Wire types, as the protocol numbers them.</summary>
    public enum Kind : byte
    {
        Stop = 0,
        True = 1,
        False = 2,
        Byte = 3,
        I16 = 4,
        I32 = 5,
        I64 = 6,
        Double = 7,
        Binary = 8,
        List = 9,
        Set = 10,
        Map = 11,
        Struct = 12,
    }

    /// <summary>The next field of a structure; <see cref="Kind.Stop"/> at its end.</summary>
    /// <param name="last">The field before it, 0 at first; becomes this one.</param>
    /// <exception cref="FormatException">The bytes end, or hold no field.</exception>
    public Kind Field(ref int last)
    {
        byte head = Byte();
        var kind = (Kind)(head & 15);
        if (kind == Kind.Stop) return head == 0 ? kind : throw new FormatException("a field without a type");
        long number = head >> 4 is var delta and not 0 ? last + delta : Integer();
        last = number is > 0 and <= short.MaxValue ? (int)number : throw new FormatException($"a field of number {number}");
        return kind;
    }

    /// <summary>A zigzag integer of up to 64 bits.</summary>
    /// <exception cref="FormatException">The bytes end, or it is longer.</exception>
    public long Integer()
    {
        ulong value = Varint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>The head of a list: how many elements of what kind.</summary>
    /// <exception cref="FormatException">It claims more elements than bytes are left.</exception>
    public (int Count, Kind Element) List()
    {
        byte head = Byte();
        ulong count = head >> 4 is var small and < 15 ? (ulong)small : Varint();
        return count <= (ulong)(bytes.Length - Position) ? ((int)count, (Kind)(head & 15)) : throw new FormatException($"a list claims {count} elements");
    }

    /// <summary>Steps over a value.</summary>
    /// <exception cref="FormatException">The bytes end, nest too deep, or hold no such value.</exception>
    public void Skip(Kind kind, int depth = 0)
    {
        if (depth > MaxDepth) throw new FormatException($"nesting beyond {MaxDepth} levels");
        switch (kind)
        {
            case Kind.True or Kind.False:
                break;
            case Kind.Byte:
                Take(1);
                break;
            case Kind.I16:
                RequireRange(Integer(), short.MinValue, short.MaxValue);
                break;
            case Kind.I32:
                RequireRange(Integer(), int.MinValue, int.MaxValue);
                break;
            case Kind.I64:
                Varint();
                break;
            case Kind.Double:
                Take(8);
                break;
            case Kind.Binary:
                Take(Varint());
                break;
            case Kind.List or Kind.Set:
                var (count, element) = List();
                for (int i = 0; i < count; i++) SkipElement(element, depth + 1);
                break;
            case Kind.Map:
                SkipMap(depth + 1);
                break;
            case Kind.Struct:
                int last = 0;
                while (Field(ref last) is var field and not Kind.Stop) Skip(field, depth + 1);
                break;
            default:
                throw new FormatException($"type {(int)kind}, which Thrift has not");
        }
    }

    /// <summary>Who reads with fewer bits would see another number.</summary>
    private static void RequireRange(long number, long least, long greatest)
    {
        if (number < least || number > greatest) throw new FormatException($"the number {number} is out of its type's range");
    }

    /// <summary>In a list a truth value takes a byte; as a field it is its type.</summary>
    private void SkipElement(Kind kind, int depth)
    {
        if (kind is Kind.True or Kind.False) Take(1);
        else Skip(kind, depth);
    }

    private void SkipMap(int depth)
    {
        ulong count = Varint();
        if (count > (ulong)(bytes.Length - Position)) throw new FormatException($"a map claims {count} entries");
        if (count == 0) return;
        byte kinds = Byte();
        for (ulong i = 0; i < count; i++)
        {
            SkipElement((Kind)(kinds >> 4), depth);
            SkipElement((Kind)(kinds & 15), depth);
        }
    }

    /// <summary>An integer of up to 64 bits without a sign.</summary>
    /// <exception cref="FormatException">The bytes end, or it is longer.</exception>
    public ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            byte part = Byte();
            value |= (ulong)(part & 127) << shift;
            if (part < 128) return value;
        }

        throw new FormatException("an integer of more than 64 bits");
    }

    private byte Byte() => Position < bytes.Length ? bytes[Position++] : throw new FormatException("the bytes end too early");

    private void Take(ulong count) => Position = count <= (ulong)(bytes.Length - Position) ? Position + (int)count : throw new FormatException("the bytes end too early");
}
