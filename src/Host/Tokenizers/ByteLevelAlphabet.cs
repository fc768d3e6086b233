using System.Text;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// GPT-2's way to write bytes as visible characters: the printable ones of Latin-1 stand for themselves, and the other 68 in
/// order for U+0100 and up. All of them are single UTF-16 units.
/// </summary>
internal static class ByteLevelAlphabet
{
    private static readonly char[] Characters = Build();
    private static readonly Dictionary<char, byte> Bytes =
        Characters.Select((character, value) => (character, value)).ToDictionary(pair => pair.character, pair => (byte)pair.value);

    /// <summary>The character for a byte.</summary>
    public static char Of(byte value) => Characters[value];

    /// <summary>The byte a character stands for, if it is one of the alphabet.</summary>
    public static bool TryByte(char character, out byte value) => Bytes.TryGetValue(character, out value);

    /// <summary>Appends <paramref name="text"/>'s UTF-8 bytes as characters of the alphabet.</summary>
    public static void Append(ReadOnlySpan<char> text, StringBuilder buffer)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in text.EnumerateRunes())
        {
            int count = rune.EncodeToUtf8(utf8);
            foreach (byte value in utf8[..count])
                buffer.Append(Characters[value]);
        }
    }

    private static char[] Build()
    {
        var characters = new char[256];
        char next = '\u0100';
        for (int value = 0; value < 256; value++)
        {
            bool visible = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[value] = visible ? (char)value : next++;
        }
        return characters;
    }
}
