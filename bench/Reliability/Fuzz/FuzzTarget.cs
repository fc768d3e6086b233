namespace RepNoise.Reliability;

/// <summary>A parser of files that come from outside, as the fuzzer sees it.</summary>
/// <param name="Name">For the command line.</param>
/// <param name="Seeds">Sound inputs that between them use most of what the parser knows.</param>
/// <param name="Pieces">Words of the format, to be put where the fuzzer likes.</param>
/// <param name="Parse">
/// Reads an input whole and uses what it gives. True where it was accepted; false where it was refused with the parser's documented
/// exception; anything else that is thrown is a fault.
/// </param>
internal sealed record FuzzTarget(string Name, IReadOnlyList<byte[]> Seeds, IReadOnlyList<byte[]> Pieces, Func<byte[], bool> Parse)
{
    /// <summary>Bytes that any input may have allocated, beside 10 times its own.</summary>
    public long AllowedBytes { get; init; } = 1 << 20;
}
