using System.Globalization;
using System.Text;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tokenizers;

/// <summary>BERT's normaliser: control characters go, white space becomes spaces, Chinese characters stand apart, accents go, lower case.</summary>
internal static class BertNormalizer
{
    public static Normalizer Read(JsonView value)
    {
        var fields = value.Fields("type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase");
        bool lowercase = fields.Flag("lowercase", absent: true);
        var steps = new List<Normalizer>();
        if (fields.Flag("clean_text", absent: true)) steps.Add(new RuneNormalizer(Clean));
        if (fields.Flag("handle_chinese_chars", absent: true)) steps.Add(new RuneNormalizer(SetApart));
        if (fields.Flag("strip_accents", absent: lowercase))
        {
            steps.Add(new UnicodeNormalizer(NormalizationForm.FormD));
            steps.Add(new RuneNormalizer(StripAccent));
        }

        if (lowercase) steps.Add(new RuneNormalizer(RuneNormalizer.AppendLowercase));
        return new NormalizerSequence([.. steps]);
    }

    private static void Clean(Rune rune, StringBuilder buffer)
    {
        bool kept = rune.Value is '\t' or '\n' or '\r';
        if (!kept && (rune.Value is 0 or 0xFFFD || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.PrivateUse))
            return;
        if (kept || CodePoint.IsWhiteSpace(rune.Value)) buffer.Append(' ');
        else buffer.Append(rune);
    }

    private static void SetApart(Rune rune, StringBuilder buffer)
    {
        bool chinese = rune.Value is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
            or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
        if (chinese) buffer.Append(' ').Append(rune).Append(' ');
        else buffer.Append(rune);
    }

    private static void StripAccent(Rune rune, StringBuilder buffer)
    {
        if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark) buffer.Append(rune);
    }
}
