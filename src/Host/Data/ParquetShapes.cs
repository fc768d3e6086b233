using static RepNoise.Host.Data.ThriftReader;

namespace RepNoise.Host.Data;

/// <summary>
/// Parquet's structures: which field has which type. A file must keep to them, since the library that reads it takes a field's type
/// from its number and never looks at the one that is written.
/// Format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
/// </summary>
internal sealed class ParquetShapes
{
    private static readonly ParquetShapes Empty = new();

    /// <summary>What the library takes for a structure and this program has no use for: keys of encryption, places on the globe.</summary>
    private static readonly ParquetShapes Refused = new(Kind.Stop);

    private static readonly ParquetShapes KeyValue = new((1, Kind.Binary), (2, Kind.Binary));
    private static readonly ParquetShapes Unit = new((1, Empty), (2, Empty), (3, Empty));
    private static readonly ParquetShapes Time = new((1, Kind.True), (2, Unit));

    private static readonly ParquetShapes LogicalType = new(
        (1, Empty), (2, Empty), (3, Empty), (4, Empty), (5, new ParquetShapes((1, Kind.I32), (2, Kind.I32))), (6, Empty), (7, Time), (8, Time),
        (10, new ParquetShapes((1, Kind.Byte), (2, Kind.True))), (11, Empty), (12, Empty), (13, Empty), (14, Empty), (15, Empty),
        (16, new ParquetShapes((1, Kind.Byte))), (17, new ParquetShapes((1, Kind.Binary))), (18, new ParquetShapes((1, Kind.Binary), (2, Kind.I32))));

    private static readonly ParquetShapes SchemaElement = new(
        (1, Kind.I32), (2, Kind.I32), (3, Kind.I32), (4, Kind.Binary), (5, Kind.I32), (6, Kind.I32), (7, Kind.I32), (8, Kind.I32), (9, Kind.I32), (10, LogicalType));

    private static readonly ParquetShapes Statistics = new(
        (1, Kind.Binary), (2, Kind.Binary), (3, Kind.I64), (4, Kind.I64), (5, Kind.Binary), (6, Kind.Binary), (7, Kind.True), (8, Kind.True));

    private static readonly ParquetShapes ColumnMetaData = new(
        (1, Kind.I32), (2, List(Kind.I32)), (3, List(Kind.Binary)), (4, Kind.I32), (5, Kind.I64), (6, Kind.I64), (7, Kind.I64), (8, List(KeyValue)), (9, Kind.I64),
        (10, Kind.I64), (11, Kind.I64), (12, Statistics), (13, List(new ParquetShapes((1, Kind.I32), (2, Kind.I32), (3, Kind.I32)))), (14, Kind.I64), (15, Kind.I32),
        (16, new ParquetShapes((1, Kind.I64), (2, List(Kind.I64)), (3, List(Kind.I64)))), (17, Refused));

    private static readonly ParquetShapes ColumnChunk = new(
        (1, Kind.Binary), (2, Kind.I64), (3, ColumnMetaData), (4, Kind.I64), (5, Kind.I32), (6, Kind.I64), (7, Kind.I32),
        (8, Refused), (9, Refused));

    private static readonly ParquetShapes RowGroup = new(
        (1, List(ColumnChunk)), (2, Kind.I64), (3, Kind.I64), (4, List(new ParquetShapes((1, Kind.I32), (2, Kind.True), (3, Kind.True)))), (5, Kind.I64), (6, Kind.I64),
        (7, Kind.I16));

    private readonly Kind kind;
    private readonly ParquetShapes? element;
    private readonly Dictionary<int, ParquetShapes> fields = [];

    private ParquetShapes(params ReadOnlySpan<(int Field, ParquetShapes Shape)> fields)
    {
        kind = Kind.Struct;
        foreach (var (field, shape) in fields) this.fields.Add(field, shape);
    }

    private ParquetShapes(Kind kind, ParquetShapes? element = null) => (this.kind, this.element) = (kind, element);

    /// <summary>The structure that a file's footer is.</summary>
    public static ParquetShapes FileMetaData { get; } = new(
        (1, Kind.I32), (2, List(SchemaElement)), (3, Kind.I64), (4, List(RowGroup)), (5, List(KeyValue)), (6, Kind.Binary), (7, List(new ParquetShapes((1, Empty)))),
        (8, Refused), (9, Refused));

    /// <summary>The structure before each page.</summary>
    public static ParquetShapes PageHeader { get; } = new(
        (1, Kind.I32), (2, Kind.I32), (3, Kind.I32), (4, Kind.I32),
        (5, new ParquetShapes((1, Kind.I32), (2, Kind.I32), (3, Kind.I32), (4, Kind.I32), (5, Statistics))), (6, Empty),
        (7, new ParquetShapes((1, Kind.I32), (2, Kind.I32), (3, Kind.True))),
        (8, new ParquetShapes((1, Kind.I32), (2, Kind.I32), (3, Kind.I32), (4, Kind.I32), (5, Kind.I32), (6, Kind.I32), (7, Kind.True), (8, Statistics))));

    public static implicit operator ParquetShapes(Kind kind) => new(kind);

    /// <summary>Reads a value of this shape, and refuses one of another.</summary>
    /// <exception cref="FormatException">A field has a type that Parquet does not give it, or the bytes end.</exception>
    public void Check(ref ThriftReader reader)
    {
        if (kind == Kind.Struct)
        {
            int field = 0;
            while (reader.Field(ref field) is var found and not Kind.Stop) CheckField(ref reader, field, found);
        }
        else if (kind == Kind.List)
        {
            var (count, found) = reader.List();
            Require(count == 0 || found == element!.kind, "a list", found);
            for (int i = 0; i < count; i++) element!.Check(ref reader);
        }
        else
        {
            reader.Skip(kind);
        }
    }

    private static ParquetShapes List(ParquetShapes element) => new(Kind.List, element);

    /// <summary>A field that is not known is stepped over where it is a number or text: later versions may add some.</summary>
    private void CheckField(ref ThriftReader reader, int field, Kind found)
    {
        if (!fields.TryGetValue(field, out var shape))
        {
            Require(found <= Kind.Binary, $"field {field}", found);
            reader.Skip(found);
            return;
        }

        Require(shape.kind == found || (shape.kind == Kind.True && found == Kind.False), $"field {field}", found);
        shape.Check(ref reader);
    }

    private static void Require(bool holds, string what, Kind found)
    {
        if (!holds) throw new FormatException($"{what} is of type {found}");
    }
}
