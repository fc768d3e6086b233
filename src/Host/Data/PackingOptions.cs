using RepNoise.Host.Training;

namespace RepNoise.Host.Data;

/// <summary>What decides which rows and loss terms a batch of pairs has.</summary>
public sealed record PackingOptions
{
    /// <summary>Id that stands in the padded frame after a text: the tokenizer's or config's pad id, else eos. A pad is a target unless it
    /// is 0.</summary>
    public required int PadId { get; init; }

    /// <summary>T, the padded frame's length. It matters only without the mask: with it, positions past both texts are out.</summary>
    public required int MaxLength { get; init; }

    public FirstToken FirstToken { get; init; } = FirstToken.Published;

    /// <summary>False is the ablation without the mask: MMD over all T positions, final cross-entropies over every token, lens terms still
    /// masked.</summary>
    public bool Mask { get; init; } = true;
}

/// <summary>What decides which loss terms a batch of plain sequences has.</summary>
public sealed record SequenceOptions
{
    /// <summary>True counts only the answer's tokens as targets.</summary>
    public bool CompletionOnly { get; init; }

    /// <summary>
    /// Pads every sequence to this length with rows that query and are targets, as the paper's attack trains
    /// (labels = input ids); null leaves pads out. Not together with <see cref="CompletionOnly"/>.
    /// </summary>
    public int? PadTo { get; init; }

    /// <summary>Id of those pads.</summary>
    public int PadId { get; init; }
}
