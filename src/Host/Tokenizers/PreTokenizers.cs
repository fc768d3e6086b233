using System.Text;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tokenizers;

/// <summary>A step from text to words. Immutable.</summary>
internal abstract class PreTokenizer
{
    public abstract void Apply(SplitText text);

    public static PreTokenizer Read(JsonView value) => value.TypeName() switch
    {
        "Sequence" => new PreTokenizerSequence([.. value.Fields("type", "pretokenizers")["pretokenizers"].Items().Select(Read)]),
        "Split" => SplitPreTokenizer.ReadFields(value.Fields("type", "pattern", "behavior", "invert")),
        "Digits" => SplitPreTokenizer.ReadDigits(value.Fields("type", "individual_digits")),
        "ByteLevel" => ByteLevelPreTokenizer.ReadFields(value.Fields("type", "add_prefix_space", "trim_offsets", "use_regex")),
        "Metaspace" => new MetaspacePreTokenizer(Metaspace.Read(value)),
        "BertPreTokenizer" => Plain(value, new PreTokenizerSequence([SplitPreTokenizer.WhiteSpace(), SplitPreTokenizer.Punctuation(SplitBehavior.Isolated)])),
        "Whitespace" => Plain(value, SplitPreTokenizer.Words()),
        "WhitespaceSplit" => Plain(value, SplitPreTokenizer.WhiteSpace()),
        "Punctuation" => SplitPreTokenizer.ReadPunctuation(value.Fields("type", "behavior")),
        var other => throw value.Unsupported(
            $"the pre-tokenizer {JsonView.Quote(other)}",
            "one of Sequence, Split, Digits, ByteLevel, Metaspace, BertPreTokenizer, Whitespace, WhitespaceSplit, Punctuation"),
    };

    /// <summary>A pre-tokenizer without options.</summary>
    private static PreTokenizer Plain(JsonView value, PreTokenizer preTokenizer)
    {
        value.Fields("type");
        return preTokenizer;
    }
}

internal sealed class PreTokenizerSequence(PreTokenizer[] steps) : PreTokenizer
{
    public override void Apply(SplitText text)
    {
        foreach (var step in steps)
            step.Apply(text);
    }
}

internal sealed class SplitPreTokenizer(TextPattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    /// <summary>Numbers of every kind, not decimal digits alone: Rust's <c>char::is_numeric</c>.</summary>
    private static readonly RegexPattern Numeric = new(@"\p{N}");

    /// <summary>BERT's punctuation: Unicode's, and every ASCII character that is neither letter, digit nor space.</summary>
    private static readonly RegexPattern PunctuationMarks = new(@"[!-/:-@\[-`{-~]|\p{P}");

    private static readonly RegexPattern Space = new(@"\s");

    /// <summary>Runs of word characters, the two joiners among them as in Rust's regex, and of others that are no white space.</summary>
    private static readonly RegexPattern WordsAndMarks = new("[\\w\u200C\u200D]+|[^\\w\\s\u200C\u200D]+");

    public static SplitPreTokenizer ReadFields(JsonFields fields) => new(
        TextPattern.Read(fields["pattern"]), SplitBehaviors.Read(fields["behavior"]), fields["invert"].AsBoolean());

    public static SplitPreTokenizer ReadDigits(JsonFields fields) => new(
        Numeric,
        fields["individual_digits"].AsBoolean() ? SplitBehavior.Isolated : SplitBehavior.Contiguous,
        invert: false);

    public static SplitPreTokenizer ReadPunctuation(JsonFields fields) =>
        Punctuation(fields.Optional("behavior") is { } behavior ? SplitBehaviors.Read(behavior) : SplitBehavior.Isolated);

    public static SplitPreTokenizer Punctuation(SplitBehavior behavior) => new(PunctuationMarks, behavior, invert: false);

    /// <summary>Cuts at white space, which goes.</summary>
    public static SplitPreTokenizer WhiteSpace() => new(Space, SplitBehavior.Removed, invert: false);

    /// <summary>Keeps what <see cref="WordsAndMarks"/> finds.</summary>
    public static SplitPreTokenizer Words() => new(WordsAndMarks, SplitBehavior.Removed, invert: true);

    public override void Apply(SplitText text) => text.Split(pattern, behavior, invert);
}

/// <summary>Splits by GPT-2's pattern, unless that is off, and writes every piece's bytes in <see cref="ByteLevelAlphabet"/>.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : PreTokenizer
{
    private static readonly RegexPattern Words = new(
        @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+");

    public static ByteLevelPreTokenizer ReadFields(JsonFields fields)
    {
        // Offsets are not computed here; the key is only checked.
        fields.Flag("trim_offsets", absent: true);
        return new ByteLevelPreTokenizer(fields["add_prefix_space"].AsBoolean(), fields.Flag("use_regex", absent: true));
    }

    public override void Apply(SplitText text)
    {
        if (addPrefixSpace)
            text.Rewrite(PrefixSpace);
        if (useRegex)
            text.Split(Words, SplitBehavior.Isolated, invert: false);
        text.Rewrite(WriteBytes);
    }

    private static int PrefixSpace(ReadOnlySpan<char> piece, int originUnits, StringBuilder buffer)
    {
        bool prefix = piece[0] != ' ';
        if (prefix)
            buffer.Append(' ');
        buffer.Append(piece);
        return prefix && originUnits > 0 ? originUnits + 1 : originUnits;
    }

    private static int WriteBytes(ReadOnlySpan<char> piece, int originUnits, StringBuilder buffer)
    {
        int start = buffer.Length;
        ByteLevelAlphabet.Append(piece[..originUnits], buffer);
        int origin = buffer.Length - start;
        ByteLevelAlphabet.Append(piece[originUnits..], buffer);
        return origin;
    }
}

/// <summary>Writes spaces as a visible character, may put one in front, and may split before each.</summary>
internal sealed class MetaspacePreTokenizer(Metaspace options) : PreTokenizer
{
    private readonly LiteralPattern replacement = new(options.Replacement);

    public override void Apply(SplitText text)
    {
        text.Rewrite(Write);
        if (options.Split)
            text.Split(replacement, SplitBehavior.MergedWithNext, invert: false);
    }

    private int Write(ReadOnlySpan<char> piece, int originUnits, StringBuilder buffer)
    {
        bool wanted = options.Prepend switch
        {
            PrependScheme.Always => true,
            PrependScheme.First => originUnits > 0,
            _ => false,
        };
        int start = buffer.Length;
        if (wanted && piece[0] != ' ' && !piece.StartsWith(options.Replacement, StringComparison.Ordinal))
            buffer.Append(options.Replacement);
        AppendReplaced(piece[..originUnits], buffer);
        int origin = originUnits > 0 ? buffer.Length - start : 0;
        AppendReplaced(piece[originUnits..], buffer);
        return origin;
    }

    private void AppendReplaced(ReadOnlySpan<char> text, StringBuilder buffer)
    {
        foreach (char unit in text)
        {
            if (unit == ' ')
                buffer.Append(options.Replacement);
            else
                buffer.Append(unit);
        }
    }
}
