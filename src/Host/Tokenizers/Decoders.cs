using System.Globalization;
using System.Text;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tokenizers;

/// <summary>A step from token strings back to text; what remains after the last one is joined. Immutable.</summary>
internal abstract class TokenDecoder
{
    private const string Known = "one of Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, WordPiece";

    /// <summary>The next form of the tokens; what is written is taken from <paramref name="growth"/>.</summary>
    public abstract List<string> Decode(List<string> tokens, Growth growth);

    public static TokenDecoder Read(JsonView value)
    {
        string type = value.TypeName();
        switch (type)
        {
            case "Sequence":
                return new DecoderSequence([.. value.Fields("type", "decoders")["decoders"].Items().Select(Read)]);
            case "ByteLevel":
                value.Fields("type", "add_prefix_space", "trim_offsets", "use_regex");
                return new ByteLevelDecoder();
            case "Replace":
                return ReplaceDecoder.ReadFields(value.Fields("type", "pattern", "content"));
            case "ByteFallback":
                value.Fields("type");
                return new ByteFallbackDecoder();
            case "Fuse":
                value.Fields("type");
                return new FuseDecoder();
            case "Strip":
                return StripDecoder.ReadFields(value.Fields("type", "content", "start", "stop"));
            case "Metaspace":
                return new MetaspaceDecoder(Metaspace.Read(value));
            case "WordPiece":
                return WordPieceDecoder.ReadFields(value.Fields("type", "prefix", "cleanup"));
            default:
                throw value.Unsupported($"the decoder {JsonView.Quote(type)}", Known);
        }
    }
}

internal sealed class DecoderSequence(TokenDecoder[] steps) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens, Growth growth)
    {
        foreach (var step in steps)
        {
            var before = tokens;
            tokens = step.Decode(before, growth);
            growth.TakeTokens(tokens, before);
        }

        return tokens;
    }
}

/// <summary>Turns the byte alphabet back into UTF-8; bytes that are none become U+FFFD, one for every maximal broken sequence.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    public override List<string> Decode(List<string> tokens, Growth growth)
    {
        var bytes = new List<byte>();
        foreach (string token in tokens)
        {
            int start = bytes.Count;
            if (!AppendBytes(token, bytes))
            {
                // A token outside the alphabet, such as an added one, stands for itself as a whole.
                bytes.RemoveRange(start, bytes.Count - start);
                bytes.AddRange(Encoding.UTF8.GetBytes(token));
            }
        }
        return [Encoding.UTF8.GetString(bytes.ToArray())];
    }

    private static bool AppendBytes(string token, List<byte> bytes)
    {
        foreach (char character in token)
        {
            if (!ByteLevelAlphabet.TryByte(character, out byte value))
                return false;
            bytes.Add(value);
        }
        return true;
    }
}

internal sealed class ReplaceDecoder(TextPattern pattern, string content) : TokenDecoder
{
    public static ReplaceDecoder ReadFields(JsonFields fields) =>
        new(TextPattern.Read(fields["pattern"]), fields["content"].AsString());

    public override List<string> Decode(List<string> tokens, Growth growth)
    {
        var segments = new List<Segment>();
        var buffer = new StringBuilder();
        return tokens.ConvertAll(token =>
        {
            pattern.Cover(token, segments);
            if (!segments.Exists(segment => segment.IsMatch)) return token;
            growth.TakeBytes(2 * segments.Sum(segment => segment.IsMatch ? (long)content.Length : 0));
            buffer.Clear();
            foreach (var segment in segments)
                buffer.Append(segment.IsMatch ? content : token.AsSpan(segment.Start, segment.End - segment.Start));
            return buffer.ToString();
        });
    }
}

/// <summary>Joins runs of <c>&lt;0xHH&gt;</c> tokens into text; a run that is not UTF-8 becomes one U+FFFD a byte.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public override List<string> Decode(List<string> tokens, Growth growth)
    {
        var decoded = new List<string>(tokens.Count);
        var bytes = new List<byte>();
        foreach (string token in tokens)
        {
            if (TryByte(token, out byte value))
            {
                bytes.Add(value);
                continue;
            }
            Flush(bytes, decoded);
            decoded.Add(token);
        }
        Flush(bytes, decoded);
        return decoded;
    }

    /// <summary>The Rust library's parser of two digits also takes a plus sign and one digit.</summary>
    private static bool TryByte(string token, out byte value)
    {
        value = 0;
        if (token.Length != 6 || !token.StartsWith("<0x", StringComparison.Ordinal) || token[5] != '>')
            return false;
        var digits = token.AsSpan(token[3] == '+' ? 4..5 : 3..5);
        return byte.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private static void Flush(List<byte> bytes, List<string> decoded)
    {
        if (bytes.Count == 0)
            return;
        try
        {
            decoded.Add(Strict.GetString(bytes.ToArray()));
        }
        catch (DecoderFallbackException)
        {
            decoded.AddRange(Enumerable.Repeat("\uFFFD", bytes.Count));
        }
        bytes.Clear();
    }
}

internal sealed class FuseDecoder : TokenDecoder
{
    public override List<string> Decode(List<string> tokens, Growth growth) => [string.Concat(tokens)];
}

/// <summary>Takes up to <c>start</c> and <c>stop</c> copies of one character off the ends of every token.</summary>
internal sealed class StripDecoder(Rune content, int start, int stop) : TokenDecoder
{
    private readonly string unit = content.ToString();

    public static StripDecoder ReadFields(JsonFields fields) => new(
        Metaspace.SingleCharacter(fields["content"]).EnumerateRunes().First(), fields["start"].AsCount(), fields["stop"].AsCount());

    public override List<string> Decode(List<string> tokens, Growth growth) => tokens.ConvertAll(Strip);

    private string Strip(string token)
    {
        int from = 0, to = token.Length;
        for (int i = 0; i < start && token.AsSpan(from).StartsWith(unit, StringComparison.Ordinal); i++)
            from += unit.Length;
        for (int i = 0; i < stop && to > from && token.AsSpan(from, to - from).EndsWith(unit, StringComparison.Ordinal); i++)
            to -= unit.Length;
        return token[from..to];
    }
}

/// <summary>Turns Metaspace's character into spaces; in the first token it is dropped if the pre-tokenizer may have put one.</summary>
internal sealed class MetaspaceDecoder(Metaspace options) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens, Growth growth)
    {
        var decoded = new List<string>(tokens.Count);
        foreach (string token in tokens)
        {
            bool drop = decoded.Count == 0 && options.Prepend != PrependScheme.Never;
            decoded.Add(token.Replace(options.Replacement, drop ? "" : " ", StringComparison.Ordinal));
        }
        return decoded;
    }
}
