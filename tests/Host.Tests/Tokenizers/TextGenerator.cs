using CsCheck;

namespace RepNoise.Host.Tests.Tokenizers;

/// <summary>Texts that mix scripts, emoji, marks, kinds of space, controls and the spelling of special tokens.</summary>
internal static class TextGenerator
{
    /// <summary>Code point ranges, the everyday ones several times. All were assigned long before the oracle's Unicode tables.</summary>
    private static readonly (int First, int Last)[] Blocks =
    [
        (0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x61, 0x7A), (0x41, 0x5A), (0x30, 0x39), (0xA0, 0xFF), (0x100, 0x17F),
        (0x300, 0x36F), (0x391, 0x3A1), (0x3B1, 0x3C9), (0x400, 0x45F), (0x5D0, 0x5EA), (0x621, 0x64A), (0x660, 0x669), (0x905, 0x939),
        (0x93E, 0x94D), (0xE01, 0xE2E), (0xE30, 0xE3A), (0x1100, 0x1112), (0x1161, 0x1175), (0x1E00, 0x1EF9), (0x2000, 0x200F),
        (0x2010, 0x2029), (0x2070, 0x2071), (0x20A0, 0x20AF), (0x2150, 0x2188), (0x2190, 0x21FF), (0x2460, 0x24FF), (0x3000, 0x303F),
        (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0xE000, 0xE00F), (0xFB00, 0xFB06), (0xFF01, 0xFF5E),
        (0xFFFC, 0xFFFF), (0x10330, 0x1034A), (0x10400, 0x1044F), (0x1D400, 0x1D454), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1F64F),
        (0x20000, 0x20100), (0x00, 0x1F), (0x7F, 0x9F), (0xE0020, 0xE007F),
    ];

    private static readonly string[] Fragments =
    [
        " ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00A0", "\u2003", "\u3000", "\u0085", "\u2028", "\u200B", "\u180E", "\uFEFF", "\u001C", "\u001F",
        "'s", "'S", "'ſ", "'re", "'LL", "'Ve", "\u212A", "don't", "I'M", "e\u0301", "a\u0323\u0302", "\u1E9B\u0323", "\uFB01", "½", "①",
        "👩‍👩‍👧", "🏳️‍🌈", "🇩🇪", "12345", "1,000.5", "٣٤٥", "Ⅷ", "²", "the", "cat", "Hello", "world", "aaaa", "abab", "▁", "▁▁", "Ġ",
        "<0x41>", "<0xE2>", "<s>", "</s>", "<unk>", "<|end|>", "<|end|>x", "<a>", "<a><ab>", "<ab", "word", "Word", "WORD", "{mask}", "\u0000", "...",
        "def f(x):\n    return x\n", "привет", "שלום", "مرحبا", "नमस्ते", "สวัสดี", "日本語", "한국어", "Straße", "\u0130stanbul",
    ];

    public static Gen<string> Texts { get; } = Piece().Array[0, 24].Select(string.Concat);

    private static Gen<string> Piece() => Gen.OneOf(
        Choose(Fragments),
        Choose(Fragments),
        Choose(Blocks).SelectMany(block => Gen.Int[block.First, block.Last].Array[1, 5])
            .Select(codePoints => string.Concat(codePoints.Select(char.ConvertFromUtf32))));

    private static Gen<T> Choose<T>(T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);
}
