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
    /// <summary>They are written around every character.</summary>
    public const int Longest = 16;

    /// <summary>UTF-16 units of a character with both affixes.</summary>
    public const int MostUnits = 2 * Longest + 2;

    /// <summary>Whether a character at this place of a word is looked up with an affix.</summary>
    public bool Apply(bool isFirst, bool isLast) =>
        (!isFirst && ContinuingPrefix.Length > 0) || (isLast && EndSuffix.Length > 0);

    /// <summary>Writes a character with its affixes to <paramref name="buffer"/>, which holds <see cref="MostUnits"/>; returns what it wrote.</summary>
    public ReadOnlySpan<char> Around(ReadOnlySpan<char> character, bool isFirst, bool isLast, Span<char> buffer)
    {
        string before = isFirst ? "" : ContinuingPrefix, after = isLast ? EndSuffix : "";
        before.CopyTo(buffer);
        character.CopyTo(buffer[before.Length..]);
        after.CopyTo(buffer[(before.Length + character.Length)..]);
        return buffer[..(before.Length + character.Length + after.Length)];
    }
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
                Affix(fields, "continuing_subword_prefix"), Affix(fields, "end_of_word_suffix")),
            UnknownTokenMissing = () => fields["unk_token"].Error(
                "the text has a character that is in no token, and the unknown token is not in the vocabulary", "a token of vocab"),
        };
        var vocabulary = ReadVocabulary(fields["vocab"]);
        return new Bpe(options, vocabulary, ReadMerges(fields["merges"], vocabulary, options.Affixes.ContinuingPrefix));
    }

    private static string Affix(JsonFields fields, string name)
    {
        string affix = fields.OptionalText(name) ?? "";
        return affix.Length <= BpeAffixes.Longest
            ? affix
            : throw fields[name].Error($"it has {affix.Length} characters", $"at most {BpeAffixes.Longest}: published tokenizers have four");
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
        int count = vocab.Require(JsonValueKind.Object, "an object").Element.GetPropertyCount();
        var vocabulary = new Dictionary<string, int>(count, StringComparer.Ordinal);
        var tokenOfId = new Dictionary<int, string>(count);
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

    /// <summary>A place is made only for a message: there are hundreds of thousands of merges.</summary>
    private static BpeMerges ReadMerges(JsonView list, Dictionary<string, int> vocabulary, string continuingPrefix)
    {
        list.Require(JsonValueKind.Array, "an array");
        var merges = new BpeMerges(list.Element.GetArrayLength());
        var ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        int rank = 0, index = -1;
        var form = JsonValueKind.Undefined;
        foreach (var element in list.Element.EnumerateArray())
        {
            index++;
            if (form == JsonValueKind.Undefined)
                form = element.ValueKind;
            else if (form != element.ValueKind)
                throw list.Item(index, element).Error("merges are written in two forms", "all as \"left right\", or all as [\"left\", \"right\"]");
            if (!TryPair(list, index, element, out var left, out var right))
                continue;
            if (!right.StartsWith(continuingPrefix, StringComparison.Ordinal))
            {
                throw list.Item(index, element).Error(
                    $"{JsonView.Quote(right.ToString())} lacks continuing_subword_prefix {JsonView.Quote(continuingPrefix)}", "a continuing token on the right");
            }
            string whole = string.Concat(left, right[continuingPrefix.Length..]);
            merges.Add(Id(left), Id(right), rank++, Id(whole));

            int Id(ReadOnlySpan<char> token) => ids.TryGetValue(token, out int id)
                ? id
                : throw list.Item(index, element).Error($"the token {JsonView.Quote(token.ToString())} is not in the vocabulary", "a merge of two tokens into a third");
        }
        return merges;
    }

    /// <summary>The two halves of a merge; false for the version line of an old merges.txt.</summary>
    private static bool TryPair(JsonView list, int index, JsonElement merge, out ReadOnlySpan<char> left, out ReadOnlySpan<char> right)
    {
        const string expected = "\"left right\" or [\"left\", \"right\"]";
        if (merge.ValueKind == JsonValueKind.Array)
        {
            if (merge.GetArrayLength() != 2)
                throw list.Item(index, merge).Mismatch(expected);
            left = Text(list, index, merge, 0);
            right = Text(list, index, merge, 1);
            return true;
        }
        if (merge.ValueKind != JsonValueKind.String)
            throw list.Item(index, merge).Mismatch(expected);
        string text = Text(list, index, merge);
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        bool version = text.StartsWith("#version", StringComparison.Ordinal);
        if (!version && (space < 0 || text.IndexOf(' ', space + 1) >= 0))
            throw list.Item(index, merge).Mismatch(expected);
        left = version ? default : text.AsSpan(0, space);
        right = version ? default : text.AsSpan(space + 1);
        return !version;
    }

    /// <summary>The text of a merge, or of one half of it.</summary>
    private static string Text(JsonView list, int index, JsonElement merge, int half = -1)
    {
        var element = half < 0 ? merge : merge[half];
        try
        {
            if (element.ValueKind == JsonValueKind.String)
                return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // Told below, with its place.
        }
        var place = list.Item(index, merge);
        return (half < 0 ? place : place.Item(half, element)).AsString();
    }
}
