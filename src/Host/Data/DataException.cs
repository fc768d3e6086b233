using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Data;

/// <summary>The ways in which a data file can be unusable.</summary>
public enum DataFault
{
    /// <summary>The file cannot be opened.</summary>
    Unreadable,

    /// <summary>The file holds nothing, or nothing that can be used.</summary>
    Empty,

    /// <summary>The bytes are not UTF-8 text, or the file is compressed or of another kind.</summary>
    Encoding,

    /// <summary>The JSON or Parquet structure is broken.</summary>
    Syntax,

    /// <summary>A row is larger than <see cref="RowSource.MaxRowBytes"/>.</summary>
    TooLong,

    /// <summary>A row lacks a field.</summary>
    MissingField,

    /// <summary>A field is there, but not of the kind that is needed.</summary>
    WrongType,

    /// <summary>The fields match no known layout, so it must be named.</summary>
    UnknownLayout,

    /// <summary>A row cannot be used and <c>--strict</c> forbids to skip it.</summary>
    Unusable,

    /// <summary>The tokenizer gave an id that the model does not have.</summary>
    UnknownId,
}

/// <summary>A data file cannot be used. The place is <c>file:line</c>, or <c>file:line:column</c> where the column is known.</summary>
public sealed class DataException(
    DataFault fault, string place, string problem, string expected, string remedy, Exception? inner = null)
    : InputException(place, problem, expected, remedy, inner)
{
    public DataFault Fault { get; } = fault;
}
