using RepNoise.Host.Model;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Reads config.json into <see cref="ModelConfig"/>, in transformers 4's dialect (<c>rope_theta</c>, <c>rope_scaling</c>,
/// <c>torch_dtype</c>) or transformers 5's (<c>rope_parameters</c>, <c>dtype</c>). An absent key means what the model's
/// configuration class in transformers says it means. What this program does not compute is refused by name, whether the
/// key looks harmless or not: a model is loaded as its author meant it or not at all.
/// </summary>
public static class ModelConfigReader
{
    // Far beyond any published decoder, yet small enough that products of a few of them fit 63 bits.
    private const int MaxWidth = 1 << 20;
    private const int MaxVocab = 1 << 24;
    private const int MaxLayers = 4096;
    private const int MaxHeads = 1 << 14;
    private const int MaxHeadDim = 1 << 14;

    private const string Unsupported = "use a model without it; this program does not compute it yet";

    /// <exception cref="ConfigException">The file cannot be read, is malformed, or asks for something unsupported.</exception>
    public static ModelConfig Read(string path) => Parse(JsonFile.ReadBytes(path), path);

    /// <param name="json">The file's bytes.</param>
    /// <param name="path">The file, for messages.</param>
    /// <inheritdoc cref="Read"/>
    public static ModelConfig Parse(ReadOnlyMemory<byte> json, string path)
    {
        var config = new ConfigObject(JsonFile.Parse(json, path), path);
        var defaults = ModelDefaults.Of(ReadModelType(config));
        RefuseUnsupported(config);
        int hidden = config.Int("hidden_size", 4096, 1, MaxWidth);
        int heads = config.Int("num_attention_heads", 32, 1, MaxHeads);
        int layers = config.Int("num_hidden_layers", 32, 1, MaxLayers);
        int maxPositions = config.Int("max_position_embeddings", defaults.MaxPositionEmbeddings, 1, int.MaxValue);
        bool attentionBias = defaults.ReadsAttentionBias && config.Bool("attention_bias", false);
        return new ModelConfig
        {
            ModelType = defaults.ModelType,
            HiddenSize = hidden,
            IntermediateSize = config.Int("intermediate_size", defaults.IntermediateSize, 1, MaxWidth),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = ReadKeyValueHeads(config, defaults, heads),
            HeadDim = ReadHeadDim(config, defaults, hidden, heads),
            VocabSize = config.Int("vocab_size", defaults.VocabSize, 1, MaxVocab),
            MaxPositionEmbeddings = maxPositions,
            RmsNormEps = config.Number("rms_norm_eps", 1e-6, 0, 1),
            TieWordEmbeddings = config.Bool("tie_word_embeddings", false),
            QkvBias = defaults.ModelType == ModelType.Qwen2 || attentionBias,
            OutputBias = attentionBias,
            MlpBias = defaults.ModelType == ModelType.Llama && config.Bool("mlp_bias", false),
            QkNorm = defaults.ModelType == ModelType.Qwen3,
            Rope = RopeReader.Read(config),
            SlidingWindows = SlidingWindowReader.Read(config, defaults.ModelType, layers),
            InitializerRange = config.Number("initializer_range", 0.02, 0, 1),
            BosTokenId = config.IntOrNull("bos_token_id", defaults.BosTokenId, 0, int.MaxValue),
            EosTokenIds = config.Ints("eos_token_id", defaults.EosTokenIds, 0, int.MaxValue),
            PadTokenId = ReadPadTokenId(config),
        };
    }

    /// <summary>The dtype that config.json names, or null where it names none (transformers then takes float32).</summary>
    /// <inheritdoc cref="Parse"/>
    public static DType? DTypeOf(ReadOnlyMemory<byte> json, string path)
    {
        var config = new ConfigObject(JsonFile.Parse(json, path), path);
        string key = config.Has("dtype") ? "dtype" : "torch_dtype";
        if (config.String(key) is not { } name || name == "auto")
        {
            return null;
        }

        return DTypes.TryParseConfigName(name, out var dtype) && dtype.IsWeight()
            ? dtype
            : throw config.Wrong(key, "one of float32, float16, bfloat16", "convert the model to one of these");
    }

    private static ModelType ReadModelType(ConfigObject config)
    {
        const string Known = "one of \"llama\", \"mistral\", \"qwen2\", \"qwen3\"";
        ModelType? type = config.String("model_type") switch
        {
            "llama" => ModelType.Llama,
            "mistral" => ModelType.Mistral,
            "qwen2" => ModelType.Qwen2,
            "qwen3" => ModelType.Qwen3,
            _ => null,
        };
        if (type is null)
        {
            throw config.Wrong("model_type", Known, "use a model of a supported architecture");
        }

        string architecture = $"{type}ForCausalLM";
        return config.Strings("architectures") is not { } named || named.SequenceEqual([architecture])
            ? type.Value
            : throw config.Wrong("architectures", $"[\"{architecture}\"]", "use a causal language model of a supported architecture");
    }

    private static void RefuseUnsupported(ConfigObject config)
    {
        if (config.Has("hidden_act") && config.String("hidden_act") != "silu")
        {
            throw config.Wrong("hidden_act", "\"silu\"", Unsupported);
        }

        foreach (string key in (string[])["quantization_config", "compression_config"])
        {
            if (config.Has(key))
            {
                throw config.Wrong(key, "none", "use the model's unquantized folder, or dequantize it with transformers first");
            }
        }

        if (config.Has("partial_rotary_factor") && config.Number("partial_rotary_factor", 1, double.MinValue, double.MaxValue) != 1)
        {
            throw config.Wrong("partial_rotary_factor", "1", Unsupported);
        }

        if (config.Has("attention_dropout") && config.Number("attention_dropout", 0, 0, 1) != 0)
        {
            throw config.Wrong("attention_dropout", "0", "set it to 0: training here has no dropout");
        }
    }

    private static int ReadKeyValueHeads(ConfigObject config, ModelDefaults defaults, int heads)
    {
        int groups = config.IntOrNull("num_key_value_heads", defaults.NumKeyValueHeads ?? heads, 1, MaxHeads) ?? heads;
        return heads % groups == 0
            ? groups
            : throw config.Wrong("num_key_value_heads", $"a divisor of num_attention_heads ({heads})");
    }

    private static int ReadHeadDim(ConfigObject config, ModelDefaults defaults, int hidden, int heads)
    {
        if (config.IntOrNull("head_dim", defaults.HeadDim, 1, MaxHeadDim) is { } given)
        {
            return given % 2 == 0 ? given : throw config.Wrong("head_dim", "an even number: rotary embeddings turn pairs");
        }

        return hidden % heads == 0 && hidden / heads % 2 == 0
            ? hidden / heads
            : throw config.Wrong("hidden_size", $"an even multiple of num_attention_heads ({heads}), as head_dim is not given");
    }

    /// <summary>Early Llama folders write -1 for none.</summary>
    private static int? ReadPadTokenId(ConfigObject config) =>
        config.IntOrNull("pad_token_id", null, -1, int.MaxValue) is { } id and >= 0 ? id : null;
}

/// <summary>What transformers' configuration class of a model type takes for a key that config.json leaves out.</summary>
/// <param name="NumKeyValueHeads">Null takes num_attention_heads.</param>
/// <param name="HeadDim">Null takes hidden_size / num_attention_heads.</param>
internal sealed record ModelDefaults(
    ModelType ModelType, int VocabSize, int IntermediateSize, int? NumKeyValueHeads, int? HeadDim, int MaxPositionEmbeddings,
    int? BosTokenId, IReadOnlyList<int> EosTokenIds, bool ReadsAttentionBias)
{
    public static ModelDefaults Of(ModelType type) => type switch
    {
        ModelType.Llama => new(type, 32000, 11008, null, null, 2048, 1, [2], ReadsAttentionBias: true),
        ModelType.Mistral => new(type, 32000, 14336, 8, null, 4096 * 32, 1, [2], ReadsAttentionBias: false),
        ModelType.Qwen2 => new(type, 151936, 22016, 32, null, 32768, null, [], ReadsAttentionBias: false),
        ModelType.Qwen3 => new(type, 151936, 22016, 32, 128, 32768, null, [], ReadsAttentionBias: true),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };
}
