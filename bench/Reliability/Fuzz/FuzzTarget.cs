namespace RepNoise.Reliability;

/// <summary>What a parser made of an input.</summary>
/// <param name="Accepted">True where it was taken for sound; false where it was refused with the parser's documented exception.</param>
/// <param name="FurtherBytes">Bytes that it was given besides, and may take memory for: the texts of the tokens that a tokenizer decodes.</param>
internal readonly record struct FuzzOutcome(bool Accepted, long FurtherBytes = 0);

/// <summary>A parser of files that come from outside, as the fuzzer sees it.</summary>
/// <param name="Name">For the command line.</param>
/// <param name="Seeds">Sound inputs that between them use most of what the parser knows.</param>
/// <param name="Pieces">Words of the format, to be put where the fuzzer likes.</param>
/// <param name="Parse">
/// Reads an input whole and uses what it gives. Whatever it throws is a fault: the parser's documented exception is caught inside.
/// </param>
internal sealed record FuzzTarget(string Name, IReadOnlyList<byte[]> Seeds, IReadOnlyList<byte[]> Pieces, Func<byte[], FuzzOutcome> Parse)
{
    /// <summary>Bytes that any input may have allocated, beside 10 times its own.</summary>
    public long AllowedBytes { get; init; } = 1 << 20;
}
