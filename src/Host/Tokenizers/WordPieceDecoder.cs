namespace RepNoise.Host.Tokenizers;

/// <summary>Joins WordPiece tokens: those with the prefix to the one before, others after a space; may take spaces before punctuation back.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleanup) : TokenDecoder
{
    private static readonly (string Spaced, string Joined)[] Cleanups =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"),
        (" 've", "'ve"), (" 're", "'re"),
    ];

    public static WordPieceDecoder ReadFields(JsonFields fields) => new(fields["prefix"].AsString(), fields["cleanup"].AsBoolean());

    public override List<string> Decode(List<string> tokens, Growth growth) => [.. tokens.Select((token, i) =>
    {
        if (i > 0) token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        return cleanup ? Cleanups.Aggregate(token, (text, pair) => Clean(text, pair.Spaced, pair.Joined, growth)) : token;
    })];

    private static string Clean(string text, string spaced, string joined, Growth growth)
    {
        string clean = text.Replace(spaced, joined, StringComparison.Ordinal);
        if (!ReferenceEquals(clean, text)) growth.TakeBytes(Growth.StringBytes(clean.Length));
        return clean;
    }
}
