using System.Buffers;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// WordPiece as the Rust library does it: the longest token that the rest of a word begins with, again and again, with a prefix on all but
/// the first. A word that is too long, or of which some rest begins with no token, is the unknown token as a whole.
/// </summary>
internal sealed class WordPiece : TokenModel
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids;
    private readonly int[] lengths;
    private readonly string continuingPrefix;
    private readonly int maxCharacters;
    private readonly string unknownToken;
    private readonly Func<TokenizerException> unknownTokenMissing;

    private WordPiece(Dictionary<string, int> vocabulary, JsonFields fields)
        : base(vocabulary)
    {
        lengths = Lengths(vocabulary.Keys);
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
            fits = TryLongest(word[start..], start > 0 ? continuingPrefix : "", out int units, out int id);
            if (fits) result.Add(id);
            start += units;
        }

        if (fits) return;
        result.RemoveRange(first, result.Count - first);
        result.Add(Vocabulary.TryGetValue(unknownToken, out int unknown) ? unknown : throw unknownTokenMissing());
    }

    /// <summary>The longest token that <paramref name="prefix"/> and <paramref name="rest"/> begin with, of which <paramref name="units"/> are the rest's.</summary>
    private bool TryLongest(ReadOnlySpan<char> rest, string prefix, out int units, out int id)
    {
        int most = Math.Min(prefix.Length + rest.Length, lengths is [.., var longest] ? longest : 0);
        (units, id) = (0, -1);
        if (most <= prefix.Length) return false;
        char[] text = ArrayPool<char>.Shared.Rent(most);
        prefix.CopyTo(text);
        rest[..(most - prefix.Length)].CopyTo(text.AsSpan(prefix.Length));
        for (int i = lengths.Length - 1; i >= 0 && lengths[i] > prefix.Length; i--)
        {
            int end = lengths[i];
            if (end > most || (end < prefix.Length + rest.Length && char.IsLowSurrogate(rest[end - prefix.Length]))) continue;
            if (!ids.TryGetValue(text.AsSpan(0, end), out id)) continue;
            units = end - prefix.Length;
            break;
        }

        ArrayPool<char>.Shared.Return(text);
        return units > 0;
    }

    private static int CharacterCount(ReadOnlySpan<char> word)
    {
        int count = 0;
        foreach (var _ in word.EnumerateRunes()) count++;
        return count;
    }
}
