using System.Buffers;
using System.Globalization;
using System.Text;

namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>
/// Code points in UTF-16 text. Everything in this folder compares code points, as the Rust library does; .NET's own regular
/// expressions compare UTF-16 units and see half a character of every surrogate pair.
/// </summary>
internal static class CodePoint
{
    private static readonly SearchValues<char> Surrogates = SearchValues.Create(
        Enumerable.Range(0xD800, 0x800).Select(unit => (char)unit).ToArray());

    /// <summary>Units of the code point at <paramref name="index"/> of well-formed text; 1 at its end.</summary>
    public static int UnitsAt(ReadOnlySpan<char> text, int index) =>
        index < text.Length && char.IsHighSurrogate(text[index]) && index + 1 < text.Length ? 2 : 1;

    /// <summary>The code point that starts at <paramref name="index"/> of well-formed text.</summary>
    public static int At(ReadOnlySpan<char> text, int index)
    {
        char unit = text[index];
        return char.IsHighSurrogate(unit) && index + 1 < text.Length ? char.ConvertToUtf32(unit, text[index + 1]) : unit;
    }

    /// <summary>The index where the code point before <paramref name="index"/> starts.</summary>
    public static int Before(ReadOnlySpan<char> text, int index) =>
        index >= 2 && char.IsLowSurrogate(text[index - 1]) ? index - 2 : index - 1;

    /// <summary>The text with every lone surrogate replaced by U+FFFD, which is what converting it to UTF-8 does.</summary>
    public static string WellFormed(string text)
    {
        int index = text.AsSpan().IndexOfAny(Surrogates);
        while (index >= 0 && index < text.Length)
        {
            if (Rune.DecodeFromUtf16(text.AsSpan(index), out _, out int units) != OperationStatus.Done)
                return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            int next = text.AsSpan(index + units).IndexOfAny(Surrogates);
            index = next < 0 ? -1 : index + units + next;
        }
        return text;
    }

    /// <summary>Unicode's White_Space property, Rust's <c>char::is_whitespace</c> and the <c>\s</c> of both its regex engines.</summary>
    public static bool IsWhiteSpace(int codePoint) => codePoint <= 0xFFFF && char.IsWhiteSpace((char)codePoint);

    /// <summary>General category as a bit of a mask.</summary>
    public static int CategoryBit(int codePoint) => 1 << (int)CharUnicodeInfo.GetUnicodeCategory(codePoint);
}
