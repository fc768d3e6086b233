using System.Text.Json;

namespace RepNoise.Host.Tokenizers;

/// <summary>What is put around the ids of a text. Immutable.</summary>
internal abstract class PostProcessor
{
    /// <summary>The ids with what is put around them; what that takes is taken from <paramref name="growth"/>.</summary>
    public abstract List<int> Apply(List<int> ids, bool addSpecialTokens, Growth growth);

    public static PostProcessor Read(JsonView value)
    {
        string type = value.TypeName();
        switch (type)
        {
            case "ByteLevel":
                // It trims offsets, which are not computed here.
                value.Fields("type", "add_prefix_space", "trim_offsets", "use_regex");
                return new PostProcessorSequence([]);
            case "Sequence":
                return new PostProcessorSequence([.. value.Fields("type", "processors")["processors"].Items().Select(Read)]);
            case "TemplateProcessing":
                return TemplateProcessing.ReadFields(value.Fields("type", "single", "pair", "special_tokens"));
            case "BertProcessing":
                return TemplateProcessing.ReadEnds(value.Fields("type", "sep", "cls"));
            case "RobertaProcessing":
                // Beside the ends it trims offsets.
                return TemplateProcessing.ReadEnds(value.Fields("type", "sep", "cls", "trim_offsets", "add_prefix_space"));
            default:
                throw value.Unsupported(
                    $"the post-processor {JsonView.Quote(type)}", "one of ByteLevel, Sequence, TemplateProcessing, BertProcessing, RobertaProcessing");
        }
    }
}

internal sealed class PostProcessorSequence(PostProcessor[] steps) : PostProcessor
{
    public override List<int> Apply(List<int> ids, bool addSpecialTokens, Growth growth) =>
        steps.Aggregate(ids, (current, step) => step.Apply(current, addSpecialTokens, growth));
}

/// <summary>
/// Special tokens around the text, as the template for a single text says. The template for pairs is not read: the program
/// never encodes two texts as one.
/// </summary>
/// <param name="pieces">In order: the ids of a special token, or null for the text itself.</param>
internal sealed class TemplateProcessing(IReadOnlyList<int[]?> pieces) : PostProcessor
{
    public static TemplateProcessing ReadFields(JsonFields fields)
    {
        var special = new Dictionary<string, int[]>(StringComparer.Ordinal);
        var tokens = fields["special_tokens"];
        foreach (var (name, element) in tokens.Properties())
        {
            var token = tokens.Property(name, element);
            int[] ids = [.. token.Fields("id", "ids", "tokens")["ids"].Items().Select(id => id.AsCount())];
            if (!special.TryAdd(name, ids))
                throw token.Error("the special token occurs twice", "every special token once");
        }
        var pieces = fields["single"].Items().Select(piece => ReadPiece(piece, special)).ToList();
        return pieces.Count(piece => piece is null) <= 1
            ? new TemplateProcessing(pieces)
            : throw fields["single"].Unsupported("a template that has the text twice", "the text once, special tokens around it");
    }

    /// <summary>One token before the text and one after it, as [token, id].</summary>
    public static TemplateProcessing ReadEnds(JsonFields fields) => new([End(fields["cls"]), null, End(fields["sep"])]);

    public override List<int> Apply(List<int> ids, bool addSpecialTokens, Growth growth)
    {
        long count = pieces.Sum(piece => piece is null ? ids.Count : addSpecialTokens ? (long)piece.Length : 0);
        growth.TakeBytes(sizeof(int) * count);
        var result = new List<int>((int)count);
        foreach (int[]? piece in pieces)
        {
            if (piece is null)
                result.AddRange(ids);
            else if (addSpecialTokens)
                result.AddRange(piece);
        }
        return result;
    }

    private static int[] End(JsonView pair)
    {
        const string expected = "[token, id]";
        pair.Require(JsonValueKind.Array, expected);
        return pair.Element.GetArrayLength() == 2 ? [pair.Items().Last().AsCount()] : throw pair.Mismatch(expected);
    }

    private static int[]? ReadPiece(JsonView piece, Dictionary<string, int[]> special)
    {
        var fields = piece.Fields("SpecialToken", "Sequence");
        var sequence = fields.Optional("Sequence");
        var token = fields.Optional("SpecialToken");
        if (sequence is null == token is null)
        {
            throw piece.Error(
                "the piece is neither one SpecialToken nor one Sequence", "{\"SpecialToken\": ...} or {\"Sequence\": ...}");
        }
        var id = (sequence ?? token)!.Value.Fields("id", "type_id")["id"];
        string name = id.AsString();
        if (token is not null)
        {
            return special.GetValueOrDefault(name)
                ?? throw id.Error($"{JsonView.Quote(name)} is not among special_tokens", "one of special_tokens");
        }
        return name == "A" ? null : throw id.Unsupported($"the sequence {JsonView.Quote(name)} in the template for a single text", "A");
    }
}
