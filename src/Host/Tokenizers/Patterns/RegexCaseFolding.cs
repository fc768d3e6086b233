namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>
/// Ignoring case, for ASCII patterns. Unicode's simple folding adds two characters beyond ASCII: the long s (U+017F) to s and
/// the Kelvin sign (U+212A) to k. Folds of several characters (ss to the sharp s, ff, fi, fl and st to ligatures) are refused.
/// </summary>
internal static class RegexCaseFolding
{
    private const int LongS = 0x17F;
    private const int Kelvin = 0x212A;

    public static Func<int, bool> Fold(Func<int, bool> set) => codePoint => set(codePoint) || codePoint switch
    {
        < 128 when char.IsAsciiLetter((char)codePoint) => set(codePoint ^ 0x20),
        LongS => set('s') || set('S'),
        Kelvin => set('k') || set('K'),
        _ => false,
    };

    public static void RequireAscii(PatternReader reader, int codePoint)
    {
        if (codePoint >= 128)
            throw reader.Unsupported("ignoring the case of characters beyond ASCII");
    }

    /// <summary>Two letters in a row that Unicode folds together with a single other character.</summary>
    public static void RefuseMultiple(PatternReader reader, int first, int second)
    {
        if (first is < 0 or >= 128 || second >= 128)
            return;
        var pair = ((char)(first | 0x20), (char)(second | 0x20));
        if (pair is ('s', 's') or ('f', 'f') or ('f', 'i') or ('f', 'l') or ('s', 't'))
            throw reader.Unsupported($"ignoring the case of {pair.Item1}{pair.Item2}, which also matches a single character,");
    }
}
