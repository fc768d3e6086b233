using System.Text;

namespace RepNoise.Host.Tokenizers;

/// <summary>When Metaspace puts its character before a piece that does not start with it.</summary>
internal enum PrependScheme
{
    /// <summary>Before every piece.</summary>
    Always,

    /// <summary>Only where the piece holds the beginning of the whole text: not after an added token.</summary>
    First,

    Never,
}

/// <summary>Metaspace's options, shared by the pre-tokenizer and the decoder of that name.</summary>
/// <param name="Replacement">The character that stands for a space, usually U+2581.</param>
/// <param name="Prepend">When one is put in front.</param>
/// <param name="Split">Whether pieces are cut before each.</param>
internal sealed record Metaspace(string Replacement, PrependScheme Prepend, bool Split)
{
    /// <summary>Reads today's form and the older one, with <c>add_prefix_space</c> and the character again as <c>str_rep</c>.</summary>
    public static Metaspace Read(JsonView value)
    {
        var fields = value.Fields("type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep");
        string replacement = SingleCharacter(fields["replacement"]);
        var scheme = ReadScheme(fields.Optional("prepend_scheme"));
        fields.OptionalText("str_rep");
        if (!fields.Flag("add_prefix_space", absent: true))
        {
            if (scheme is not (null or PrependScheme.Never))
                throw value.Error("add_prefix_space is false, but prepend_scheme is not \"never\"", "the two in agreement");
            scheme = PrependScheme.Never;
        }
        return new Metaspace(replacement, scheme ?? PrependScheme.Always, fields.Flag("split", absent: true));
    }

    public static string SingleCharacter(JsonView value)
    {
        string text = value.AsString();
        return Rune.DecodeFromUtf16(text, out var rune, out int units) == System.Buffers.OperationStatus.Done && units == text.Length
            ? rune.ToString()
            : throw value.Mismatch("a single character");
    }

    private static PrependScheme? ReadScheme(JsonView? value) => value?.AsString() switch
    {
        null => null,
        "always" => PrependScheme.Always,
        "first" => PrependScheme.First,
        "never" => PrependScheme.Never,
        var other => throw value!.Value.Unsupported($"the prepend_scheme {JsonView.Quote(other)}", "always, first or never"),
    };
}
