using System.Text;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tokenizers;

/// <summary>One entry of <c>added_tokens</c>.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text, not empty.</param>
/// <param name="SingleWord">Recognised only where no word character touches it.</param>
/// <param name="LeftStrip">Takes the white space before it along (<c>lstrip</c>).</param>
/// <param name="RightStrip">Takes the white space after it along (<c>rstrip</c>).</param>
/// <param name="Normalized">Looked for, in normalized form, in the normalized text instead of the raw one.</param>
/// <param name="Special">Left out when decoding without special tokens.</param>
internal sealed record AddedToken(
    int Id, string Content, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized, bool Special)
{
    public static AddedToken Read(JsonView value)
    {
        var fields = value.Fields("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
        return new AddedToken(
            fields["id"].AsCount(), fields["content"].AsString(), fields["single_word"].AsBoolean(), fields["lstrip"].AsBoolean(),
            fields["rstrip"].AsBoolean(), fields["normalized"].AsBoolean(), fields["special"].AsBoolean());
    }
}

/// <summary>
/// Finds the added tokens in a text before anything else sees it: first those that are not normalized in the raw text, then,
/// in what remains and after the normalizers, the normalized ones. Leftmost first, the longest of those that start there.
/// Immutable.
/// </summary>
internal sealed class AddedTokens
{
    /// <summary>Rust's <c>\w</c>: Oniguruma's, and the two joiners.</summary>
    private static readonly CodePointSet WordCharacters = new(
        CodePointSet.Union(CodePointSet.Word, codePoint => codePoint is 0x200C or 0x200D));

    private readonly Normalizer? normalizer;
    private readonly TokenTrie raw = new();
    private readonly TokenTrie normalized = new();

    /// <param name="tokens">As the file lists them.</param>
    /// <param name="normalizer">The file's, or null.</param>
    /// <param name="file">The tokenizer.json, for messages.</param>
    public AddedTokens(IReadOnlyList<AddedToken> tokens, Normalizer? normalizer, string file)
    {
        this.normalizer = normalizer;
        var growth = Growth.OfAddedTokens(file, tokens.Sum(token => (long)token.Content.Length));
        // Two tokens can normalize to the same text; the special one wins then.
        foreach (var token in tokens.OrderByDescending(token => token.Special))
        {
            if (token.Normalized)
                normalized.Add(Normalize(token.Content, atOrigin: false, growth).Text, token);
            else
                raw.Add(token.Content, token);
        }

        raw.Complete();
        normalized.Complete();
    }

    /// <summary>The pieces of well-formed <paramref name="text"/>: added tokens, and normalized stretches between them.</summary>
    public SplitText Extract(string text, Growth growth)
    {
        var pieces = new List<Piece>();
        var whole = new Piece(0, text.Length, CodePoint.UnitsAt(text, 0));
        if (text.Length > 0)
            Split(text, whole, raw, pieces);
        growth.Take(text.Length, pieces.Count);
        var buffer = new StringBuilder(text.Length + 16);
        var result = new List<Piece>(pieces.Count);
        foreach (var piece in pieces)
        {
            if (piece.IsToken)
            {
                result.Add(piece with { Start = buffer.Length, Length = 0 });
                continue;
            }
            var stretch = Normalize(text.Substring(piece.Start, piece.Length), atOrigin: piece.OriginUnits > 0, growth);
            int before = result.Count;
            if (stretch.Text.Length > 0)
                Split(stretch.Text, new Piece(0, stretch.Text.Length, stretch.OriginUnits), normalized, result, buffer.Length);
            growth.Take(stretch.Text.Length, result.Count - before);
            buffer.Append(stretch.Text);
        }
        return new SplitText(buffer.ToString(), result, growth);
    }

    private NormalizedText Normalize(string text, bool atOrigin, Growth growth)
    {
        var original = new NormalizedText(text, atOrigin ? CodePoint.UnitsAt(text, 0) : 0);
        return normalizer is null ? original : normalizer.Normalize(original, growth);
    }

    /// <summary>Appends the pieces of <paramref name="text"/>, which will stand at <paramref name="offset"/> of the common buffer.</summary>
    private static void Split(string text, Piece whole, TokenTrie trie, List<Piece> pieces, int offset = 0)
    {
        int covered = 0;
        int from = 0;
        while (trie.Find(text, from, out int start, out int end, out var token))
        {
            from = end;
            if (token.SingleWord && TouchesWord(text, start, end))
                continue;
            if (token.LeftStrip)
                start = Math.Max(covered, SkipSpaceBack(text, start));
            if (token.RightStrip)
                end = SkipSpace(text, end);
            if (covered < start)
                pieces.Add(Shift(whole.Slice(covered, start), offset));
            pieces.Add(new Piece(offset + start, end - start, 0, token.Id));
            // As in the Rust library, a match inside space that the last token stripped still counts and moves this back.
            covered = end;
        }
        if (covered < text.Length)
            pieces.Add(Shift(whole.Slice(covered, text.Length), offset));
    }

    private static Piece Shift(Piece piece, int offset) => piece with { Start = piece.Start + offset };

    private static bool TouchesWord(string text, int start, int end) =>
        (start > 0 && WordCharacters.Contains(CodePoint.At(text, CodePoint.Before(text, start))))
        || (end < text.Length && WordCharacters.Contains(CodePoint.At(text, end)));

    private static int SkipSpaceBack(string text, int start)
    {
        while (start > 0 && CodePoint.IsWhiteSpace(text[start - 1]))
            start--;
        return start;
    }

    private static int SkipSpace(string text, int end)
    {
        while (end < text.Length && CodePoint.IsWhiteSpace(text[end]))
            end++;
        return end;
    }
}
