using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace RepNoise.Reliability;

/// <summary>
/// Changes inputs the way that finds faults in parsers: bytes and bits, numbers replaced by extreme ones, words of the format put in
/// or in place of others, stretches cut, doubled, nested, or taken from another input.
/// </summary>
/// <param name="random">Decides; equal seeds give equal inputs.</param>
/// <param name="pieces">Words of the format.</param>
internal sealed class Mutator(Random random, IReadOnlyList<byte[]> pieces)
{
    /// <summary>Longer inputs make a parser slow and show nothing new.</summary>
    private const int LongestInput = 1 << 16;

    private static readonly string[] Numbers =
    [
        "0", "-1", "1", "255", "65536", "2147483647", "2147483648", "-2147483648", "4294967296", "9223372036854775807", "-9223372036854775808",
        "18446744073709551616", "1e9", "1e309", "-0", "0.5", "1e-400", "99999999999999999999999999",
    ];

    private static readonly long[] Words = [0, 1, -1, 8, 255, 65535, int.MaxValue, int.MinValue, 1L << 32, long.MaxValue, long.MinValue, 100_000_000];

    /// <param name="parent">The input that is changed; left alone.</param>
    /// <param name="other">Another input, to take stretches from.</param>
    public byte[] Mutate(byte[] parent, byte[] other)
    {
        var bytes = new List<byte>(parent);
        for (int edits = 1 + random.Next(random.Next(4) == 0 ? 8 : 2); edits > 0; edits--) Edit(bytes, other);
        return bytes.Count <= LongestInput ? [.. bytes] : [.. bytes.Take(LongestInput)];
    }

    private void Edit(List<byte> bytes, byte[] other)
    {
        int at = random.Next(bytes.Count + 1), length = Math.Min(bytes.Count - at, 1 + random.Next(random.Next(3) == 0 ? 64 : 6));
        switch (random.Next(12))
        {
            case 0 when bytes.Count > at:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when bytes.Count > at:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                bytes.RemoveRange(at, length);
                break;
            case 3:
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 4 or 5 when pieces.Count > 0:
                bytes.InsertRange(at, Piece());
                break;
            case 6 when pieces.Count > 0:
                Replace(bytes, at, length, Piece());
                break;
            case 7:
                Number(bytes, at);
                break;
            case 8:
                Word(bytes, at);
                break;
            case 9:
                Nest(bytes, at, length);
                break;
            case 10:
                int from = random.Next(other.Length + 1);
                Replace(bytes, at, length, other[from..Math.Min(other.Length, from + 1 + random.Next(64))]);
                break;
            default:
                if (random.Next(4) == 0) bytes.RemoveRange(at, bytes.Count - at);
                else Quoted(bytes, at);
                break;
        }
    }

    private byte[] Piece() => pieces[random.Next(pieces.Count)];

    private static void Replace(List<byte> bytes, int at, int length, byte[] by)
    {
        bytes.RemoveRange(at, length);
        bytes.InsertRange(at, by);
    }

    /// <summary>Puts an extreme number in place of the next one.</summary>
    private void Number(List<byte> bytes, int at)
    {
        while (at < bytes.Count && !char.IsAsciiDigit((char)bytes[at])) at++;
        int end = at;
        while (end < bytes.Count && char.IsAsciiDigit((char)bytes[end])) end++;
        string number = random.Next(4) == 0 ? random.NextInt64(1000).ToString(CultureInfo.InvariantCulture) : Numbers[random.Next(Numbers.Length)];
        Replace(bytes, at, end - at, Encoding.ASCII.GetBytes(number));
    }

    /// <summary>Overwrites bytes with a binary number of 2, 4 or 8 bytes.</summary>
    private void Word(List<byte> bytes, int at)
    {
        var word = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(word, Words[random.Next(Words.Length)]);
        int size = 2 << random.Next(3);
        Replace(bytes, at, Math.Min(size, bytes.Count - at), word[..size]);
    }

    /// <summary>Wraps a stretch in brackets, many deep now and then.</summary>
    private void Nest(List<byte> bytes, int at, int length)
    {
        int deep = random.Next(8) == 0 ? random.Next(2000) : 1 + random.Next(3);
        var (open, close) = random.Next(2) == 0 ? ("["u8.ToArray(), "]"u8.ToArray()) : ("{\"a\":"u8.ToArray(), "}"u8.ToArray());
        byte[] stretch = [.. bytes.GetRange(at, length)];
        Replace(bytes, at, length, [.. Enumerable.Repeat(open, deep).SelectMany(part => part), .. stretch, .. Enumerable.Repeat(close, deep).SelectMany(part => part)]);
    }

    /// <summary>Puts a piece in place of what stands between the next two quotes.</summary>
    private void Quoted(List<byte> bytes, int at)
    {
        int open = bytes.IndexOf((byte)'"', Math.Min(at, bytes.Count)), close = open < 0 ? -1 : bytes.IndexOf((byte)'"', open + 1);
        if (close > 0 && pieces.Count > 0) Replace(bytes, open, close - open + 1, Piece());
    }
}
