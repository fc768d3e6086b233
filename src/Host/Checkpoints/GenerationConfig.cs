using RepNoise.Host.Model;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// How a model's author means it to be sampled: generation_config.json, or its defaults where the folder has none. Ids that it
/// leaves out are config.json's.
/// </summary>
public sealed record GenerationConfig
{
    /// <summary>False is greedy, whatever the other values say.</summary>
    public bool DoSample { get; init; }

    public double Temperature { get; init; } = 1;

    /// <summary>Number of likeliest tokens kept; 0 keeps all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Share of probability kept, likeliest tokens first; 1 keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>1 is none.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Ids that end a generation.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    public int? BosTokenId { get; init; }

    public int? PadTokenId { get; init; }

    /// <summary>What holds for a folder without generation_config.json.</summary>
    public static GenerationConfig From(ModelConfig config) =>
        new() { EosTokenIds = config.EosTokenIds, BosTokenId = config.BosTokenId, PadTokenId = config.PadTokenId };

    /// <param name="json">The file's bytes.</param>
    /// <param name="path">The file, for messages.</param>
    /// <param name="config">Whose ids stand in for those the file leaves out.</param>
    /// <exception cref="ConfigException">The file is malformed, or a value is of the wrong type or out of range.</exception>
    public static GenerationConfig Parse(ReadOnlyMemory<byte> json, string path, ModelConfig config)
    {
        var source = new ConfigObject(JsonFile.Parse(json, path), path);
        var defaults = From(config);
        var eos = source.Ints("eos_token_id", [], 0, int.MaxValue);
        return defaults with
        {
            DoSample = source.Has("do_sample") && source.Bool("do_sample", false),
            Temperature = NumberOr(source, "temperature", defaults.Temperature, 0, 1e6),
            TopK = source.IntOrNull("top_k", null, 0, int.MaxValue) ?? defaults.TopK,
            TopP = NumberOr(source, "top_p", defaults.TopP, 0, 1),
            RepetitionPenalty = NumberOr(source, "repetition_penalty", defaults.RepetitionPenalty, 1e-6, 1e6),
            EosTokenIds = eos.Count > 0 ? eos : defaults.EosTokenIds,
            BosTokenId = source.IntOrNull("bos_token_id", null, 0, int.MaxValue) ?? defaults.BosTokenId,
            PadTokenId = source.IntOrNull("pad_token_id", null, -1, int.MaxValue) is { } pad and >= 0 ? pad : defaults.PadTokenId,
        };
    }

    private static double NumberOr(ConfigObject source, string key, double fallback, double min, double max) =>
        source.Has(key) ? source.Number(key, fallback, min, max) : fallback;
}
