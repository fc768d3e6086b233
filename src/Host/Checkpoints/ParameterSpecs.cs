using RepNoise.Host.Model;

namespace RepNoise.Host.Checkpoints;

/// <summary>What a parameter is to the model, whatever its layer.</summary>
public enum ParameterRole
{
    EmbedTokens,
    QProj,
    KProj,
    VProj,
    OProj,
    QNorm,
    KNorm,
    GateProj,
    UpProj,
    DownProj,
    InputLayernorm,
    PostAttentionLayernorm,
    Norm,
    LmHead,
}

/// <summary>One trainable tensor of a model.</summary>
/// <param name="Name">Its name in transformers and in the checkpoint: <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="Shape">Outermost dimension first; a projection is [out, in].</param>
/// <param name="Role">What it is.</param>
/// <param name="Layer">Its layer from 0, or null outside the layers.</param>
/// <param name="IsBias">True for a projection's bias, false for a weight.</param>
public sealed record ParameterSpec(string Name, IReadOnlyList<long> Shape, ParameterRole Role, int? Layer = null, bool IsBias = false)
{
    /// <summary>Number of elements.</summary>
    public long Count { get; } = Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));
}

/// <summary>The parameters that a configuration implies, in the order of transformers' state_dict.</summary>
public static class ParameterSpecs
{
    /// <summary>The embedding's name; a tied head shares its values.</summary>
    public const string EmbedTokens = "model.embed_tokens.weight";

    /// <summary>The vocabulary head's name; not a parameter of its own where it is tied.</summary>
    public const string LmHead = "lm_head.weight";

    public static IReadOnlyList<ParameterSpec> Of(ModelConfig config)
    {
        long hidden = config.HiddenSize, vocab = config.VocabSize;
        var specs = new List<ParameterSpec> { new(EmbedTokens, [vocab, hidden], ParameterRole.EmbedTokens) };
        for (int layer = 0; layer < config.NumHiddenLayers; layer++)
        {
            AddLayer(specs, config, layer);
        }

        specs.Add(new ParameterSpec("model.norm.weight", [hidden], ParameterRole.Norm));
        if (!config.TieWordEmbeddings)
        {
            specs.Add(new ParameterSpec(LmHead, [vocab, hidden], ParameterRole.LmHead));
        }

        return specs;
    }

    private static void AddLayer(List<ParameterSpec> specs, ModelConfig config, int layer)
    {
        string prefix = $"model.layers.{layer}.";
        long hidden = config.HiddenSize, intermediate = config.IntermediateSize, head = config.HeadDim;
        long queries = config.NumAttentionHeads * head, keys = config.NumKeyValueHeads * head;

        Linear("self_attn.q_proj", ParameterRole.QProj, queries, hidden, config.QkvBias);
        Linear("self_attn.k_proj", ParameterRole.KProj, keys, hidden, config.QkvBias);
        Linear("self_attn.v_proj", ParameterRole.VProj, keys, hidden, config.QkvBias);
        Linear("self_attn.o_proj", ParameterRole.OProj, hidden, queries, config.OutputBias);
        if (config.QkNorm)
        {
            Norm("self_attn.q_norm", ParameterRole.QNorm, head);
            Norm("self_attn.k_norm", ParameterRole.KNorm, head);
        }

        Linear("mlp.gate_proj", ParameterRole.GateProj, intermediate, hidden, config.MlpBias);
        Linear("mlp.up_proj", ParameterRole.UpProj, intermediate, hidden, config.MlpBias);
        Linear("mlp.down_proj", ParameterRole.DownProj, hidden, intermediate, config.MlpBias);
        Norm("input_layernorm", ParameterRole.InputLayernorm, hidden);
        Norm("post_attention_layernorm", ParameterRole.PostAttentionLayernorm, hidden);

        void Linear(string module, ParameterRole role, long outputs, long inputs, bool bias)
        {
            specs.Add(new ParameterSpec($"{prefix}{module}.weight", [outputs, inputs], role, layer));
            if (bias)
            {
                specs.Add(new ParameterSpec($"{prefix}{module}.bias", [outputs], role, layer, IsBias: true));
            }
        }

        void Norm(string module, ParameterRole role, long width) =>
            specs.Add(new ParameterSpec($"{prefix}{module}.weight", [width], role, layer));
    }
}
