using static RepNoise.Kernels.Cpu.Division;

namespace RepNoise.Kernels.Cpu;

/// <summary>Lines of memory that a tile fetches into the L2 cache for those after it, one every four steps of k.</summary>
/// <param name="at">The first line; null for none.</param>
/// <param name="step">Elements from one fetch to the next.</param>
internal unsafe struct Ahead(float* at, long step)
{
    /// <summary>Elements of a line.</summary>
    public const int Line = 16;

    /// <summary>Steps of k a fetch.</summary>
    public const int Steps = 4;

    /// <summary>The next line.</summary>
    public float* At = at;

    /// <summary>Elements from one fetch to the next.</summary>
    public readonly long Step = step;
}

/// <summary>Rows of memory that are read next, which the tiles before fetch, each its share.</summary>
/// <param name="start">Null for nothing.</param>
/// <param name="stride">Elements from row to row.</param>
/// <param name="rows">Rows.</param>
/// <param name="length">Elements of a row.</param>
internal readonly unsafe struct Upcoming(float* start, long stride, int rows, int length)
{
    private bool IsOneRun => stride == length;

    private int Columns => Ceiling(length, Ahead.Line);

    /// <summary>How many tiles of inner dimension k it takes: a run of lines each, or a column of lines in some rows.</summary>
    public int Tiles(int k)
    {
        if (start is null) return 0;
        return IsOneRun ? Ceiling((long)rows * length, Ahead.Line * Lines(k)) : Columns * Ceiling(rows, Lines(k));
    }

    /// <summary>What a tile fetches.</summary>
    /// <param name="tile">From 0; from <see cref="Tiles"/> on nothing is left.</param>
    /// <param name="k">The tile's inner dimension.</param>
    public Ahead For(int tile, int k)
    {
        if (tile >= Tiles(k)) return default;
        return IsOneRun
            ? new Ahead(start + (long)tile * Lines(k) * Ahead.Line, Ahead.Line)
            : new Ahead(start + (long)(tile / Columns) * Lines(k) * stride + (long)(tile % Columns) * Ahead.Line, stride);
    }

    private static int Lines(int k) => Math.Max(1, k / Ahead.Steps);
}
