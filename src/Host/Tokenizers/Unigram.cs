using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// The unigram language model (Kudo, arXiv 1804.10959) as the Rust library does it: the cut of a text into tokens with the largest sum of
/// scores, by Viterbi's algorithm. A character that is no token costs ten more than the worst token; neighbouring unknown ones are one
/// unknown token, or their bytes.
/// </summary>
internal sealed class Unigram : TokenModel
{
    private const double UnknownPenalty = 10;

    private readonly string[] tokens;
    private readonly double[] scores;
    private readonly int? unknownId;
    private readonly double unknownScore;
    private readonly int[]? byteIds;
    private readonly int[] lengths;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids;
    private readonly Func<TokenizerException> unknownTokenMissing;

    private Unigram(Dictionary<string, int> vocabulary, string[] tokens, double[] scores, JsonFields fields)
        : base(vocabulary)
    {
        (this.tokens, this.scores) = (tokens, scores);
        ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        unknownId = fields.Optional("unk_id")?.AsCount();
        if (unknownId >= tokens.Length)
            throw fields["unk_id"].Error($"there is no token {unknownId}", string.Create(CultureInfo.InvariantCulture, $"an id below {tokens.Length}"));
        unknownScore = scores.Min() - UnknownPenalty;
        lengths = Lengths(tokens);
        byteIds = fields.Flag("byte_fallback", absent: false) ? [.. Enumerable.Range(0, 256).Select(ByteId)] : null;
        unknownTokenMissing = () => fields["vocab"].Error("the text has a character that is in no token, and there is no unk_id", "an unk_id");

        int ByteId(int value) => vocabulary.GetValueOrDefault(string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>"), -1);
    }

    /// <summary>Reads a model of type Unigram.</summary>
    public static new Unigram Read(JsonView value)
    {
        var fields = value.Fields("type", "unk_id", "vocab", "byte_fallback");
        var (tokens, scores) = (new List<string>(), new List<double>());
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var item in fields["vocab"].Items())
        {
            const string expected = "[token, score]";
            item.Require(JsonValueKind.Array, expected);
            if (item.Element.GetArrayLength() != 2 || item.Element[1].ValueKind != JsonValueKind.Number || !item.Element[1].TryGetDouble(out double score)
                || !double.IsFinite(score))
                throw item.Mismatch(expected);
            string token = item.Items().First().AsString();
            if (!vocabulary.TryAdd(token, tokens.Count)) throw item.Error($"the token {JsonView.Quote(token)} occurs twice", "every token once");
            tokens.Add(token);
            scores.Add(score);
        }

        if (tokens.Count == 0) throw fields["vocab"].Error("there is no token", "at least one token");
        return new Unigram(vocabulary, [.. tokens], [.. scores], fields);
    }

    /// <inheritdoc/>
    public override bool TryToken(int id, [NotNullWhen(true)] out string? token)
    {
        token = id >= 0 && id < tokens.Length ? tokens[id] : null;
        return token is not null;
    }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> word, List<int> result)
    {
        var best = new Node[word.Length + 1];
        Array.Fill(best, new Node(0, -1, -1));
        for (int start = 0; start < word.Length;)
        {
            Rune.DecodeFromUtf16(word[start..], out _, out int units);
            bool single = false;
            foreach (int length in lengths)
            {
                if (length > word.Length - start) break;
                if (!ids.TryGetValue(word.Slice(start, length), out int id)) continue;
                Offer(best, start, start + length, scores[id], id);
                single |= length == units;
            }

            if (!single) Offer(best, start, start + units, unknownScore, unknownId ?? throw unknownTokenMissing());
            start += units;
        }

        foreach (var (from, to) in Cuts(best)) Append(word[from..to], result);
    }

    private static void Offer(Node[] best, int start, int end, double score, int id)
    {
        double total = score + best[start].Score;
        if (best[end].Start < 0 || total > best[end].Score) best[end] = new Node(total, start, id);
    }

    /// <summary>The best cuts from first to last; runs of the unknown token are one.</summary>
    private List<(int From, int To)> Cuts(Node[] best)
    {
        var cuts = new List<(int From, int To)>();
        bool unknownBefore = false;
        for (int end = best.Length - 1; end > 0; end = best[end].Start)
        {
            bool unknown = unknownId is not null && best[end].Id == unknownId;
            if (unknown && unknownBefore) cuts[^1] = (best[end].Start, cuts[^1].To);
            else cuts.Add((best[end].Start, end));
            unknownBefore = unknown;
        }

        cuts.Reverse();
        return cuts;
    }

    private void Append(ReadOnlySpan<char> text, List<int> result)
    {
        if (ids.TryGetValue(text, out int id))
        {
            result.Add(id);
            return;
        }

        int before = result.Count;
        if (byteIds is not null && AppendBytes(text, byteIds, result)) return;
        result.RemoveRange(before, result.Count - before);
        result.Add(unknownId ?? throw unknownTokenMissing());
    }

    /// <returns>False where some byte is no token; bytes before it may have been appended.</returns>
    private static bool AppendBytes(ReadOnlySpan<char> text, int[] byteIds, List<int> result)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in text.EnumerateRunes())
        {
            foreach (byte value in utf8[..rune.EncodeToUtf8(utf8)])
            {
                if (byteIds[value] < 0) return false;
                result.Add(byteIds[value]);
            }
        }

        return true;
    }

    /// <summary>The best way to a place: its score, and the token that ends there.</summary>
    private readonly record struct Node(double Score, int Start, int Id);
}
