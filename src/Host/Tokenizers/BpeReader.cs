using System.Text.Json;

namespace RepNoise.Host.Tokenizers;

/// <summary>The switches of a BPE model, under the names of tokenizer.json where these are words.</summary>
internal sealed record BpeOptions
{
    public string? UnknownToken { get; init; }

    /// <summary>Neighbouring unknown characters give one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Unknown characters become <c>&lt;0xHH&gt;</c> tokens.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A word that is a token is taken whole, merges or no merges.</summary>
    public bool IgnoreMerges { get; init; }

    public BpeAffixes Affixes { get; init; } = new("", "");

    /// <summary>
    /// What to throw when an unknown character needs the unknown token and that is not in the vocabulary. The Rust library
    /// does not look earlier either.
    /// </summary>
    public required Func<TokenizerException> UnknownTokenMissing { get; init; }
}

/// <summary><c>continuing_subword_prefix</c> and <c>end_of_word_suffix</c>; empty where there is none.</summary>
internal sealed record BpeAffixes(string ContinuingPrefix, string EndSuffix)
{
    /// <summary>Whether a character at this place of a word is looked up with an affix.</summary>
    public bool Apply(bool isFirst, bool isLast) =>
        (!isFirst && ContinuingPrefix.Length > 0) || (isLast && EndSuffix.Length > 0);

    public string Around(ReadOnlySpan<char> character, bool isFirst, bool isLast) =>
        string.Concat(isFirst ? "" : ContinuingPrefix, character, isLast ? EndSuffix : "");
}

/// <summary>Reads <c>$.model</c> of type BPE.</summary>
internal static class BpeReader
{
    public static Bpe Read(JsonView value)
    {
        var fields = value.Fields(
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
            "ignore_merges", "vocab", "merges");
        RefuseDropout(fields.Optional("dropout"));
        var options = new BpeOptions
        {
            UnknownToken = fields.OptionalText("unk_token"),
            FuseUnknown = fields.Flag("fuse_unk", absent: false),
            ByteFallback = fields.Flag("byte_fallback", absent: false),
            IgnoreMerges = fields.Flag("ignore_merges", absent: false),
            Affixes = new BpeAffixes(
                fields.OptionalText("continuing_subword_prefix") ?? "", fields.OptionalText("end_of_word_suffix") ?? ""),
            UnknownTokenMissing = () => fields["unk_token"].Error(
                "the text has a character that is in no token, and the unknown token is not in the vocabulary", "a token of vocab"),
        };
        var vocabulary = ReadVocabulary(fields["vocab"]);
        return new Bpe(options, vocabulary, ReadMerges(fields["merges"], vocabulary, options.Affixes.ContinuingPrefix));
    }

    private static void RefuseDropout(JsonView? dropout)
    {
        if (dropout is not { } value)
            return;
        if (value.Element.ValueKind != JsonValueKind.Number || !value.Element.TryGetDouble(out double rate) || rate != 0)
            throw value.Mismatch("null or 0: dropout makes the ids random");
    }

    internal static Dictionary<string, int> ReadVocabulary(JsonView vocab)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var tokenOfId = new Dictionary<int, string>();
        foreach (var (token, element) in vocab.Properties())
        {
            // The common case stays free of building paths: vocabularies have hundreds of thousands of entries.
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out int id) || id is < 0 or int.MaxValue)
                id = vocab.Property(token, element).AsCount();
            if (!vocabulary.TryAdd(token, id))
                throw vocab.Property(token, element).Error("the token occurs twice", "every token once");
            if (!tokenOfId.TryAdd(id, token))
            {
                throw vocab.Property(token, element).Error(
                    $"the id {id} already belongs to the token {JsonView.Quote(tokenOfId[id])}", "every id once");
            }
        }
        return vocabulary;
    }

    private static BpeMerges ReadMerges(JsonView list, Dictionary<string, int> vocabulary, string continuingPrefix)
    {
        list.Require(JsonValueKind.Array, "an array");
        var merges = new BpeMerges(list.Element.GetArrayLength());
        int rank = 0;
        var form = JsonValueKind.Undefined;
        foreach (var merge in list.Items())
        {
            if (form == JsonValueKind.Undefined)
                form = merge.Element.ValueKind;
            else if (form != merge.Element.ValueKind)
                throw merge.Error("merges are written in two forms", "all as \"left right\", or all as [\"left\", \"right\"]");
            if (ReadPair(merge) is not var (left, right))
                continue;
            merges.Add(
                IdOf(merge, vocabulary, left), IdOf(merge, vocabulary, right), rank++,
                IdOf(merge, vocabulary, left + WithoutPrefix(merge, right, continuingPrefix)));
        }
        return merges;
    }

    /// <summary>The two halves of a merge; null for the version line of an old merges.txt.</summary>
    private static (string Left, string Right)? ReadPair(JsonView merge)
    {
        const string expected = "\"left right\" or [\"left\", \"right\"]";
        if (merge.Element.ValueKind == JsonValueKind.Array)
        {
            return merge.Element.GetArrayLength() == 2
                ? (merge.Items().First().AsString(), merge.Items().Last().AsString())
                : throw merge.Mismatch(expected);
        }
        if (merge.Element.ValueKind != JsonValueKind.String)
            throw merge.Mismatch(expected);
        string text = merge.AsString();
        if (text.StartsWith("#version", StringComparison.Ordinal))
            return null;
        string[] halves = text.Split(' ');
        return halves.Length == 2 ? (halves[0], halves[1]) : throw merge.Mismatch(expected);
    }

    private static int IdOf(JsonView merge, Dictionary<string, int> vocabulary, string token) =>
        vocabulary.TryGetValue(token, out int id)
            ? id
            : throw merge.Error($"the token {JsonView.Quote(token)} is not in the vocabulary", "a merge of two tokens into a third");

    private static string WithoutPrefix(JsonView merge, string right, string prefix) =>
        right.StartsWith(prefix, StringComparison.Ordinal)
            ? right[prefix.Length..]
            : throw merge.Error(
                $"{JsonView.Quote(right)} lacks continuing_subword_prefix {JsonView.Quote(prefix)}", "a continuing token on the right");
}
