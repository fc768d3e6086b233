namespace RepNoise.Kernels;

/// <summary>
/// A row-major matrix in device memory: element (r, c) lies at <c>Offset + r * RowStride + c</c>. A view, free to copy;
/// it owns nothing. The default value is "no tensor", which optional parameters take.
/// </summary>
/// <param name="Buffer">The memory.</param>
/// <param name="Offset">Index of the first element.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Number of columns; consecutive in memory.</param>
/// <param name="RowStride">Elements from one row to the next; at least <paramref name="Columns"/>.</param>
public readonly record struct Tensor(DeviceBuffer Buffer, long Offset, int Rows, int Columns, int RowStride)
{
    /// <summary>The whole of a buffer, or its first elements, as a dense matrix.</summary>
    public static Tensor Of(DeviceBuffer buffer, int rows, int columns, long offset = 0)
    {
        Check.Range("Tensor.Of", offset, (long)rows * columns, buffer.Length);
        return new Tensor(buffer, offset, rows, columns, columns);
    }

    public bool IsEmpty => Buffer is null;

    /// <summary>Number of elements, gaps between rows not counted.</summary>
    public long Length => (long)Rows * Columns;

    /// <summary>Rows follow each other without gaps.</summary>
    public bool IsDense => RowStride == Columns || Rows <= 1;

    /// <summary>Rows <paramref name="start"/> to <c>start + count - 1</c>.</summary>
    public Tensor RowRange(int start, int count)
    {
        Check.Range("Tensor.RowRange", start, count, Rows);
        return this with { Offset = Offset + (long)start * RowStride, Rows = count };
    }

    /// <summary>Columns <paramref name="start"/> to <c>start + count - 1</c> of every row.</summary>
    public Tensor ColumnRange(int start, int count)
    {
        Check.Range("Tensor.ColumnRange", start, count, Columns);
        return this with { Offset = Offset + start, Columns = count };
    }

    /// <summary>The one element at (0, <paramref name="index"/>), as a 1 x 1 tensor: a device-side factor or result.</summary>
    public Tensor Element(int index) => ColumnRange(index, 1).RowRange(0, 1);

    public override string ToString() => IsEmpty ? "none" : $"({Rows}, {Columns})";
}

/// <summary>A run of int32 values in device memory: row numbers, token ids or positions.</summary>
/// <param name="Buffer">The memory, of kind <see cref="BufferKind.Index"/>.</param>
/// <param name="Offset">Index of the first value.</param>
/// <param name="Count">Number of values.</param>
public readonly record struct Indices(DeviceBuffer Buffer, long Offset, int Count)
{
    public static Indices Of(DeviceBuffer buffer, int count) => new(buffer, 0, count);

    public bool IsEmpty => Buffer is null;

    public Indices Range(int start, int count)
    {
        Check.Range("Indices.Range", start, count, Count);
        return new Indices(Buffer, Offset + start, count);
    }
}
