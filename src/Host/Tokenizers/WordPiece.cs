namespace RepNoise.Host.Tokenizers;

/// <summary>
/// WordPiece as the Rust library does it: the longest token that the rest of a word begins with, again and again, with a prefix on all but
/// the first. A word that is too long, or of which some rest begins with no token, is the unknown token as a whole.
/// </summary>
internal sealed class WordPiece : TokenModel
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids;
    private readonly string continuingPrefix;
    private readonly int maxCharacters;
    private readonly string unknownToken;
    private readonly Func<TokenizerException> unknownTokenMissing;

    private WordPiece(Dictionary<string, int> vocabulary, JsonFields fields)
        : base(vocabulary)
    {
        ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        continuingPrefix = fields.OptionalText("continuing_subword_prefix") ?? "##";
        maxCharacters = fields.Optional("max_input_chars_per_word")?.AsCount() ?? 100;
        unknownToken = fields.OptionalText("unk_token") ?? "[UNK]";
        unknownTokenMissing = () => fields["vocab"].Error(
            $"the text has an unknown word, and the unknown token {JsonView.Quote(unknownToken)} is not in the vocabulary", "a token of vocab");
    }

    /// <summary>Reads a model of type WordPiece.</summary>
    public static new WordPiece Read(JsonView value)
    {
        var fields = value.Fields("type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab");
        return new WordPiece(BpeReader.ReadVocabulary(fields["vocab"]), fields);
    }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> word, List<int> result)
    {
        int first = result.Count;
        bool fits = CharacterCount(word) <= maxCharacters;
        for (int start = 0; fits && start < word.Length;)
        {
            int end = word.Length, id = -1;
            while (end > start && !TryPiece(word[start..end], start > 0, out id)) end -= char.IsLowSurrogate(word[end - 1]) ? 2 : 1;
            fits = end > start;
            if (fits) result.Add(id);
            start = end;
        }

        if (fits) return;
        result.RemoveRange(first, result.Count - first);
        result.Add(Vocabulary.TryGetValue(unknownToken, out int unknown) ? unknown : throw unknownTokenMissing());
    }

    private bool TryPiece(ReadOnlySpan<char> piece, bool continues, out int id) =>
        continues ? ids.TryGetValue(string.Concat(continuingPrefix, piece), out id) : ids.TryGetValue(piece, out id);

    private static int CharacterCount(ReadOnlySpan<char> word)
    {
        int count = 0;
        foreach (var _ in word.EnumerateRunes()) count++;
        return count;
    }
}
