using System.Globalization;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// The memory that the steps of a tokenizer.json may take, all together, for one text. A normalizer that doubles a text is two lines long, and
/// thirty of them would fill any memory; the steps of published tokenizers take some hundred bytes for a character.
/// </summary>
internal sealed class Growth
{
    /// <summary>Bytes that any text is granted: with them and what 42 characters are granted, encoding and decoding stay below 1 MB.</summary>
    private const long Base = 1 << 15;

    /// <summary>Bytes for a UTF-16 unit of a text: one may become 18 under NFKC, each a word's part and written in several steps.</summary>
    private const long PerUnit = 3 << 10;

    /// <summary>Bytes for a unit of an added token's text, which only the normalizers see.</summary>
    private const long PerAddedUnit = 1 << 8;

    /// <summary>Bytes for a token that is decoded, and for a unit of it: a copy in each of several steps.</summary>
    private const long PerToken = 160;
    private const long PerTokenUnit = 16;

    /// <summary>A character is written to a buffer, and read from a string made of it.</summary>
    private const long Character = 8;

    /// <summary>A piece, segment or token in a list that grew to its size by doubling.</summary>
    private const long Item = 48;

    private readonly string file;
    private readonly long granted;
    private readonly long units;
    private readonly string what;
    private long left;

    private Growth(string file, long granted, long units, string what) => (this.file, this.granted, this.units, this.what, left) = (file, granted, units, what, granted);

    /// <param name="file">The tokenizer.json, for the message.</param>
    /// <param name="units">UTF-16 units of the text.</param>
    public static Growth OfText(string file, long units) => new(file, Base + PerUnit * units, units, "a text");

    /// <summary>As <see cref="OfText"/>, for the contents of all added tokens.</summary>
    public static Growth OfAddedTokens(string file, long units) => new(file, Base + PerAddedUnit * units, units, "added tokens");

    /// <summary>For tokens on their way back to text.</summary>
    public static Growth OfTokens(string file, List<string> tokens)
    {
        long units = tokens.Sum(token => (long)token.Length);
        return new Growth(file, Base + PerToken * tokens.Count + PerTokenUnit * units, units, "tokens");
    }

    /// <summary>Counts characters and list items that a step is about to write, or has written where it can only write a few times what it reads.</summary>
    /// <exception cref="TokenizerException">They take more than is left.</exception>
    public void Take(long characters, long items = 0) => TakeBytes(Character * characters + Item * items);

    /// <inheritdoc cref="Take"/>
    public void TakeBytes(long bytes)
    {
        left -= bytes;
        if (left < 0) Refuse();
    }

    /// <summary>Counts a list of tokens that was made of another, and the strings of it that are new.</summary>
    public void TakeTokens(List<string> made, List<string> from)
    {
        long bytes = 8L * made.Count;
        for (int i = 0; i < made.Count; i++)
        {
            if (i >= from.Count || !ReferenceEquals(made[i], from[i])) bytes += StringBytes(made[i].Length);
        }

        TakeBytes(bytes);
    }

    /// <summary>Bytes of a string.</summary>
    public static long StringBytes(long units) => 32 + 2 * units;

    private void Refuse() => throw new TokenizerException(
        file, "$", string.Create(CultureInfo.InvariantCulture, $"its steps take more than {granted} bytes for {what} of {units} characters"),
        "normalizers, pre-tokenizers, templates and decoders that write a few times the text", "use the tokenizer.json that belongs to the model, from a source you trust");
}
