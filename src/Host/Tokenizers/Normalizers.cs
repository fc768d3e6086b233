using System.Text;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tokenizers;

/// <summary>Text on its way through the normalizers.</summary>
/// <param name="Text">Well-formed UTF-16.</param>
/// <param name="OriginUnits">How many leading units stem from the first character of the original text (see <see cref="Piece"/>).</param>
internal readonly record struct NormalizedText(string Text, int OriginUnits);

/// <summary>A rewriting of the text before it is split. Immutable.</summary>
internal abstract class Normalizer
{
    private const string Known = "one of Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, BertNormalizer, Precompiled";

    /// <summary>The text rewritten; what is written is taken from <paramref name="growth"/>.</summary>
    public abstract NormalizedText Normalize(NormalizedText text, Growth growth);

    public static Normalizer Read(JsonView value) => value.TypeName() switch
    {
        "Sequence" => new NormalizerSequence([.. value.Fields("type", "normalizers")["normalizers"].Items().Select(Read)]),
        "Prepend" => new PrependNormalizer(value.Fields("type", "prepend")["prepend"].AsString()),
        "Replace" => ReplaceNormalizer.ReadFields(value.Fields("type", "pattern", "content")),
        "NFC" => Unicode(value, NormalizationForm.FormC),
        "NFD" => Unicode(value, NormalizationForm.FormD),
        "NFKC" => Unicode(value, NormalizationForm.FormKC),
        "NFKD" => Unicode(value, NormalizationForm.FormKD),
        "Lowercase" => RuneNormalizer.Lowercase(value),
        "StripAccents" => RuneNormalizer.StripAccents(value),
        "Strip" => StripNormalizer.ReadFields(value.Fields("type", "strip_left", "strip_right")),
        "BertNormalizer" => BertNormalizer.Read(value),
        "Precompiled" => PrecompiledNormalizer.ReadFields(value.Fields("type", "precompiled_charsmap")),
        var other => throw value.Unsupported($"the normalizer {JsonView.Quote(other)}", Known),
    };

    private static UnicodeNormalizer Unicode(JsonView value, NormalizationForm form)
    {
        value.Fields("type");
        return new UnicodeNormalizer(form);
    }
}

internal sealed class NormalizerSequence(Normalizer[] steps) : Normalizer
{
    public override NormalizedText Normalize(NormalizedText text, Growth growth)
    {
        foreach (var step in steps)
        {
            text = step.Normalize(text, growth);
            growth.Take(text.Text.Length);
        }

        return text;
    }
}

/// <summary>Puts a string before every text that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    public override NormalizedText Normalize(NormalizedText text, Growth growth) => text.Text.Length == 0
        ? text
        : new NormalizedText(prefix + text.Text, text.OriginUnits == 0 ? 0 : text.OriginUnits + prefix.Length);
}

/// <summary>Puts one string in the place of every match.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : Normalizer
{
    public static ReplaceNormalizer ReadFields(JsonFields fields) =>
        new(TextPattern.Read(fields["pattern"]), fields["content"].AsString());

    public override NormalizedText Normalize(NormalizedText text, Growth growth)
    {
        var segments = new List<Segment>();
        pattern.Cover(text.Text, segments);
        growth.Take(segments.Sum(segment => segment.IsMatch ? (long)content.Length : segment.End - segment.Start), segments.Count);
        var buffer = new StringBuilder(text.Text.Length);
        int originUnits = 0;
        foreach (var segment in segments)
        {
            if (segment.IsMatch)
                buffer.Append(content);
            else
                buffer.Append(text.Text, segment.Start, segment.End - segment.Start);
            // New text counts as stemming from the last character it replaces.
            if (segment.End <= text.OriginUnits)
                originUnits = buffer.Length;
            else if (!segment.IsMatch && segment.Start < text.OriginUnits)
                originUnits = buffer.Length - (segment.End - text.OriginUnits);
        }
        return new NormalizedText(buffer.ToString(), originUnits);
    }
}

/// <summary>
/// Unicode normalisation by the runtime's tables; it can differ from the Rust library's only in characters newer than the
/// older of the two tables.
/// </summary>
internal sealed class UnicodeNormalizer(NormalizationForm form) : Normalizer
{
    public override NormalizedText Normalize(NormalizedText text, Growth growth)
    {
        string normalized = Apply(text.Text);
        return ReferenceEquals(normalized, text.Text)
            ? text
            : new NormalizedText(normalized, Apply(text.Text[..text.OriginUnits]).Length);
    }

    /// <summary>
    /// string.Normalize refuses U+FFFE, which is a code point like others: it decomposes to itself and combines with nothing,
    /// so that the stretches around it can be normalised one by one.
    /// </summary>
    private string Apply(string text) => text.Contains('\uFFFE', StringComparison.Ordinal)
        ? string.Join('\uFFFE', text.Split('\uFFFE').Select(part => part.Normalize(form)))
        : text.Normalize(form);
}

/// <summary>A rewriting of every code point on its own.</summary>
internal sealed class RuneNormalizer(Action<Rune, StringBuilder> append) : Normalizer
{
    private static readonly int MarkMask = CodePointSet.CategoryMask("M");

    public static RuneNormalizer Lowercase(JsonView value)
    {
        value.Fields("type");
        return new RuneNormalizer(AppendLowercase);
    }

    public static RuneNormalizer StripAccents(JsonView value)
    {
        value.Fields("type");
        return new RuneNormalizer((rune, buffer) =>
        {
            if ((CodePoint.CategoryBit(rune.Value) & MarkMask) == 0)
                buffer.Append(rune);
        });
    }

    public override NormalizedText Normalize(NormalizedText text, Growth growth)
    {
        var buffer = new StringBuilder(text.Text.Length);
        int read = 0, originUnits = 0;
        foreach (var rune in text.Text.EnumerateRunes())
        {
            append(rune, buffer);
            read += rune.Utf16SequenceLength;
            if (read <= text.OriginUnits)
                originUnits = buffer.Length;
        }
        return new NormalizedText(buffer.ToString(), originUnits);
    }

    /// <summary>The capital I with dot is the one character whose lower case is two.</summary>
    public static void AppendLowercase(Rune rune, StringBuilder buffer)
    {
        if (rune.Value == 0x130)
            buffer.Append("i\u0307");
        else
            buffer.Append(Rune.ToLowerInvariant(rune));
    }
}

/// <summary>Removes white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public static StripNormalizer ReadFields(JsonFields fields) =>
        new(fields["strip_left"].AsBoolean(), fields["strip_right"].AsBoolean());

    public override NormalizedText Normalize(NormalizedText text, Growth growth)
    {
        int start = 0, end = text.Text.Length;
        while (left && start < end && CodePoint.IsWhiteSpace(text.Text[start]))
            start++;
        while (right && end > start && CodePoint.IsWhiteSpace(text.Text[end - 1]))
            end--;
        return new NormalizedText(text.Text[start..end], Math.Clamp(text.OriginUnits - start, 0, end - start));
    }
}
