using System.Globalization;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// What the steps of a tokenizer.json may write, all together, for one text. A normalizer that doubles a text is two lines long, and thirty
/// of them would fill any memory; those of published tokenizers write a few times the text.
/// </summary>
/// <param name="file">The tokenizer.json, for the message.</param>
/// <param name="units">UTF-16 units of the text.</param>
internal sealed class Growth(string file, long units)
{
    /// <summary>Units granted to any text, and for every unit of it: one code point may become 18 under NFKC, in each of several steps.</summary>
    private const long Base = 1 << 14;
    private const long PerUnit = 200;

    private long left = Base + PerUnit * units;

    /// <summary>Counts what a step is about to write, or has written where a step can only write a few times what it reads.</summary>
    /// <exception cref="TokenizerException">It is more than is left.</exception>
    public void Take(long written)
    {
        left -= written;
        if (left < 0) Refuse();
    }

    private void Refuse() => throw new TokenizerException(
        file, "$", string.Create(CultureInfo.InvariantCulture, $"its steps make more than {Base + PerUnit * units} characters of a text of {units}"),
        "normalizers, pre-tokenizers and decoders that write a few times the text", "use the tokenizer.json that belongs to the model, from a source you trust");
}
