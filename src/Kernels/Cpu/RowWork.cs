using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>How the methods that hold a kernel's loop are compiled.</summary>
internal static class KernelLoop
{
    /// <summary>
    /// At once optimised, and never inlined: the JIT bounds what it inlines by the size of the outermost method, so within the
    /// few bytes of a part's loop it would leave vector operations as calls, ten times slower.
    /// </summary>
    public const MethodImplOptions Options = MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining;
}

/// <summary>Work on one row of a matrix; rows do not depend on each other.</summary>
internal interface IRowWork
{
    void Run(int row);
}

/// <summary>Rows in parts of a few thousand elements.</summary>
internal readonly struct RowParts<TWork>(TWork work, int rows, int columns) : IWork
    where TWork : unmanaged, IRowWork
{
    private const int PartElements = 8192;

    private readonly int rowsPerPart = Math.Max(1, PartElements / Math.Max(1, columns));

    public void Run(ThreadTeam team) => team.Run(this, (rows + rowsPerPart - 1) / rowsPerPart);

    public void Run(int part, int worker)
    {
        int end = Math.Min(rows, (part + 1) * rowsPerPart);
        for (int row = part * rowsPerPart; row < end; row++) work.Run(row);
    }
}

/// <summary>Work on spans of elements at one place in several matrices of one shape.</summary>
internal unsafe interface ISpanWork
{
    /// <param name="row">Row.</param>
    /// <param name="column">First column.</param>
    /// <param name="count">Elements.</param>
    void Run(long row, long column, long count);
}

/// <summary>
/// Spans of whole matrices: rows cut into spans, or, where all matrices are dense, the matrix as one long row (the caller
/// says so), so that narrow matrices do not pay for their row ends.
/// </summary>
internal readonly struct SpanParts<TWork>(TWork work, long rows, long columns, bool isDense) : IWork
    where TWork : unmanaged, ISpanWork
{
    private const long PartElements = 16384;

    private readonly long rows = isDense ? 1 : rows;
    private readonly long columns = isDense ? rows * columns : columns;

    private long SpansPerRow => (columns + PartElements - 1) / PartElements;

    private long RowsPerPart => Math.Max(1, PartElements / Math.Max(1, columns));

    public void Run(ThreadTeam team) => team.Run(this, checked((int)((rows + RowsPerPart - 1) / RowsPerPart * SpansPerRow)));

    public void Run(int part, int worker)
    {
        long firstRow = part / SpansPerRow * RowsPerPart, column = part % SpansPerRow * PartElements;
        long count = Math.Min(PartElements, columns - column);
        for (long row = firstRow; row < Math.Min(rows, firstRow + RowsPerPart); row++) work.Run(row, column, count);
    }
}
