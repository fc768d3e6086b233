using System.Text;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tokenizers;

/// <summary>A stretch of <see cref="SplitText.Text"/>: a piece still to be tokenised, or an added token that was recognised.</summary>
/// <param name="Start">First UTF-16 unit.</param>
/// <param name="Length">Units, at least 1.</param>
/// <param name="OriginUnits">
/// How many of its leading units stem from the first character of the original text. Metaspace's scheme <c>first</c> asks
/// only whether it is zero; it is a count so that it survives further splits.
/// </param>
/// <param name="TokenId">The added token's id, or -1.</param>
internal readonly record struct Piece(int Start, int Length, int OriginUnits, int TokenId = -1)
{
    public bool IsToken => TokenId >= 0;

    /// <summary>The part from <paramref name="from"/> to <paramref name="to"/>, both relative to this piece.</summary>
    public Piece Slice(int from, int to) =>
        new(Start + from, to - from, Math.Clamp(OriginUnits - from, 0, to - from));
}

/// <summary>
/// A text on its way from characters to words: one buffer and the pieces it is cut into, in order. Pre-tokenizers cut pieces
/// further or rewrite them; added tokens pass through untouched, and empty pieces vanish.
/// </summary>
internal sealed class SplitText(string text, List<Piece> pieces, Growth growth)
{
    private readonly List<Segment> segments = [];
    private readonly StringBuilder buffer = new();
    private List<Piece> spare = [];

    public string Text { get; private set; } = text;

    public List<Piece> Pieces { get; private set; } = pieces;

    /// <summary>Cuts every piece along <paramref name="pattern"/>; <paramref name="invert"/> swaps matches and gaps first.</summary>
    public void Split(TextPattern pattern, SplitBehavior behavior, bool invert)
    {
        var cut = spare;
        cut.Clear();
        foreach (var piece in Pieces)
        {
            if (piece.IsToken)
            {
                cut.Add(piece);
                continue;
            }
            pattern.Cover(Text.AsSpan(piece.Start, piece.Length), segments);
            growth.Take(0, segments.Count);
            if (invert)
                Segment.Invert(segments);
            behavior.Apply(segments);
            foreach (var segment in segments)
            {
                if (segment.End > segment.Start)
                    cut.Add(piece.Slice(segment.Start, segment.End));
            }
        }
        (Pieces, spare) = (cut, Pieces);
    }

    /// <summary>Writes every piece anew. <paramref name="write"/> appends a piece's new text and returns its new OriginUnits.</summary>
    public void Rewrite(PieceWriter write)
    {
        var rewritten = spare;
        rewritten.Clear();
        buffer.Clear();
        foreach (var piece in Pieces)
        {
            int start = buffer.Length;
            if (piece.IsToken)
            {
                rewritten.Add(piece with { Start = start, Length = 0 });
                continue;
            }
            int originUnits = write(Text.AsSpan(piece.Start, piece.Length), piece.OriginUnits, buffer);
            growth.Take(buffer.Length - start, items: 1);
            if (buffer.Length > start)
                rewritten.Add(new Piece(start, buffer.Length - start, originUnits));
        }
        Text = buffer.ToString();
        (Pieces, spare) = (rewritten, Pieces);
    }
}

/// <summary>
/// Appends the new form of <paramref name="piece"/> to <paramref name="buffer"/>; returns how many of its leading units stem
/// from the text's first character, as <paramref name="originUnits"/> of the old ones do.
/// </summary>
internal delegate int PieceWriter(ReadOnlySpan<char> piece, int originUnits, StringBuilder buffer);
