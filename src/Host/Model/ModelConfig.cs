namespace RepNoise.Host.Model;

/// <summary>Which decoder a folder holds: <c>model_type</c> in config.json.</summary>
public enum ModelType
{
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
}

/// <summary>Rotary embedding parameters, whichever dialect of config.json wrote them.</summary>
/// <param name="Theta"><c>rope_theta</c>, the base of the frequencies.</param>
/// <param name="Llama3">Llama 3's frequency scaling, or null for <c>rope_type: default</c>.</param>
public sealed record RopeParameters(double Theta, Llama3RopeScaling? Llama3 = null);

/// <summary>Llama 3's rotary scaling: wavelengths beyond the original context are stretched by <paramref name="Factor"/>.</summary>
public sealed record Llama3RopeScaling(double Factor, double LowFreqFactor, double HighFreqFactor, int OriginalMaxPositionEmbeddings);

/// <summary>
/// What config.json says of a decoder, in its own names and free of dialect: every value is resolved (no absent head_dim,
/// no implied number of key/value heads), so the rest of the program never looks at JSON.
/// </summary>
public sealed record ModelConfig
{
    public required ModelType ModelType { get; init; }

    /// <summary>C, the width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>F, the width inside the feed-forward.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>L.</summary>
    public required int NumHiddenLayers { get; init; }

    /// <summary>NH.</summary>
    public required int NumAttentionHeads { get; init; }

    /// <summary>NKV; divides <see cref="NumAttentionHeads"/>.</summary>
    public required int NumKeyValueHeads { get; init; }

    /// <summary>HS; even. Need not be HiddenSize / NumAttentionHeads (Qwen3).</summary>
    public required int HeadDim { get; init; }

    /// <summary>V.</summary>
    public required int VocabSize { get; init; }

    public required int MaxPositionEmbeddings { get; init; }

    public required double RmsNormEps { get; init; }

    public required bool TieWordEmbeddings { get; init; }

    /// <summary>q_proj, k_proj and v_proj have biases (Qwen2 always; Llama with <c>attention_bias</c>).</summary>
    public bool QkvBias { get; init; }

    /// <summary>o_proj has a bias (Llama with <c>attention_bias</c>).</summary>
    public bool OutputBias { get; init; }

    /// <summary>gate_proj, up_proj and down_proj have biases (<c>mlp_bias</c>).</summary>
    public bool MlpBias { get; init; }

    /// <summary>RMSNorm over each head of q and k (Qwen3).</summary>
    public bool QkNorm { get; init; }

    public required RopeParameters Rope { get; init; }

    /// <summary>For each layer the number of visible keys (the query's own position counts), or null where attention is full.</summary>
    public required IReadOnlyList<int?> SlidingWindows { get; init; }

    public double InitializerRange { get; init; } = 0.02;

    public int? BosTokenId { get; init; }

    /// <summary>One or several ids that end a generation; empty where config.json names none.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    public int? PadTokenId { get; init; }
}
