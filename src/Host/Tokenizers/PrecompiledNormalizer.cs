using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// SentencePiece's table of replacements, as the Rust library applies it: <c>precompiled_charsmap</c> holds a double-array trie (Aoe, 1989; in
/// the layout of darts-clone) of UTF-8 texts and the replacements, ended by zero bytes. A grapheme of fewer than six bytes that begins
/// with a text of the table is replaced as a whole, else each of its characters that is one.
/// </summary>
internal sealed class PrecompiledNormalizer : Normalizer
{
    private const int LongestGrapheme = 6;

    private readonly uint[] units;
    private readonly byte[] replacements;

    private PrecompiledNormalizer(uint[] units, byte[] replacements) => (this.units, this.replacements) = (units, replacements);

    public static PrecompiledNormalizer ReadFields(JsonFields fields)
    {
        const string expected = "base64 of a size, a trie of that many bytes, and replacements";
        var value = fields["precompiled_charsmap"];
        byte[] bytes;
        try
        {
            bytes = Convert.FromBase64String(value.AsString());
        }
        catch (FormatException problem)
        {
            throw value.Error("it is not base64", expected, inner: problem);
        }

        uint size = bytes.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;
        if (size < 4 || size % 4 != 0 || size > bytes.Length - 4) throw value.Error($"its {bytes.Length} bytes begin with the size {size}", expected);
        var units = new uint[size / 4];
        for (int i = 0; i < units.Length; i++) units[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4 + 4 * i));
        return new PrecompiledNormalizer(units, bytes[(4 + (int)size)..]);
    }

    /// <inheritdoc/>
    public override NormalizedText Normalize(NormalizedText text, Growth growth)
    {
        var buffer = new StringBuilder(text.Text.Length);
        int read = 0, originUnits = 0, written = 0;
        Span<byte> utf8 = stackalloc byte[LongestGrapheme];
        while (read < text.Text.Length)
        {
            int length = StringInfo.GetNextTextElementLength(text.Text.AsSpan(read));
            var grapheme = text.Text.AsSpan(read, length);
            if (Encoding.UTF8.GetByteCount(grapheme) < LongestGrapheme && Replacement(utf8[..Encoding.UTF8.GetBytes(grapheme, utf8)]) is { } whole)
            {
                buffer.Append(whole);
                if (read < text.OriginUnits) originUnits = buffer.Length;
            }
            else
            {
                int at = read;
                foreach (var rune in grapheme.EnumerateRunes())
                {
                    if (Replacement(utf8[..rune.EncodeToUtf8(utf8)]) is { } part) buffer.Append(part);
                    else buffer.Append(rune);
                    at += rune.Utf16SequenceLength;
                    if (at <= text.OriginUnits) originUnits = buffer.Length;
                }
            }

            read += length;
            growth.Take(buffer.Length - written);
            written = buffer.Length;
        }

        return new NormalizedText(buffer.ToString(), originUnits);
    }

    /// <summary>The replacement of the shortest text of the table that <paramref name="key"/> begins with, or null.</summary>
    private string? Replacement(ReadOnlySpan<byte> key)
    {
        long node = Offset(units[0]);
        foreach (byte value in key)
        {
            if (value == 0) break;
            node ^= value;
            if (node >= units.Length || (units[node] & 0x800000FF) != value) return null;
            uint unit = units[node];
            node ^= Offset(unit);
            if ((unit >> 8 & 1) == 0) continue;
            if (node >= units.Length) return null;
            int start = (int)(units[node] & 0x7FFFFFFF);
            if (start >= replacements.Length) return null;
            int length = replacements.AsSpan(start).IndexOf((byte)0);
            return Encoding.UTF8.GetString(replacements.AsSpan(start, length < 0 ? replacements.Length - start : length));
        }

        return null;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1 << 9) >> 6);
}
