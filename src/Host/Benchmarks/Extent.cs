namespace RepNoise.Host.Benchmarks;

/// <summary>
/// A run of one dimension: all of it when an operation is timed, a part of it when the reference recomputes a part. Operands are
/// functions of the place in the whole, so a part needs no copy of the whole.
/// </summary>
/// <param name="Start">First index.</param>
/// <param name="Count">Number of indices, at most <paramref name="Total"/> less <paramref name="Start"/>.</param>
/// <param name="Total">Length of the dimension.</param>
internal readonly record struct Extent(int Start, int Count, int Total)
{
    public bool IsWhole => Count == Total;

    public static implicit operator Extent(int length) => new(0, length, length);

    /// <summary>The same run where each index stands for <paramref name="inner"/> consecutive ones.</summary>
    public Extent Times(int inner) => checked(new Extent(Start * inner, Count * inner, Total * inner));
}

/// <summary>One dimension of a benchmark's shape.</summary>
/// <param name="Name">As in the kernels: <c>m</c>, <c>nh</c>.</param>
/// <param name="Meaning">For people.</param>
internal sealed record Dimension(string Name, string Meaning)
{
    /// <summary>The value where the shape ends before this dimension, or null where it must be given.</summary>
    public int? Default { get; init; }

    /// <summary>Smallest value.</summary>
    public int Least { get; init; } = 1;

    /// <summary>How much of this dimension a partial proof recomputes; 0 where results need all of it.</summary>
    public int Sample { get; init; }
}
