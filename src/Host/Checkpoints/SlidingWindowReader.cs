using RepNoise.Host.Model;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Which layers see only a window of keys. Llama never; Mistral on every layer unless <c>sliding_window</c> is null; Qwen only
/// with <c>use_sliding_window</c>, on the layers that <c>layer_types</c> names or, where it is absent, from <c>max_window_layers</c> on.
/// </summary>
internal static class SlidingWindowReader
{
    private const string Full = "full_attention";
    private const string Sliding = "sliding_attention";

    public static IReadOnlyList<int?> Read(ConfigObject config, ModelType type, int layers)
    {
        if (type == ModelType.Llama)
        {
            return new int?[layers];
        }

        int? window = config.IntOrNull("sliding_window", 4096, 1, int.MaxValue);
        if (type != ModelType.Mistral && !config.Bool("use_sliding_window", false))
        {
            window = null;
        }

        var slides = LayerTypes(config, layers)?.Select(t => t == Sliding).ToArray()
            ?? DefaultLayers(config, type, layers, window is not null);
        if (window is null && slides.Contains(true))
        {
            throw config.Wrong(
                "layer_types", "\"full_attention\" only, as no sliding window is in use",
                "set sliding_window and use_sliding_window, or correct layer_types");
        }

        if (type == ModelType.Mistral && window is not null && slides.Contains(false))
        {
            throw config.Wrong(
                "layer_types", "one kind of layer: a Mistral model slides on every layer or on none", "use a model without mixed layers");
        }

        return [.. slides.Select(slide => slide ? window : null)];
    }

    private static bool[] DefaultLayers(ConfigObject config, ModelType type, int layers, bool windowed)
    {
        int first = type == ModelType.Mistral ? 0 : config.Int("max_window_layers", 28, 0, int.MaxValue);
        return [.. Enumerable.Range(0, layers).Select(layer => windowed && layer >= first)];
    }

    private static IReadOnlyList<string>? LayerTypes(ConfigObject config, int layers)
    {
        var types = config.Strings("layer_types");
        return types is null || (types.Count == layers && types.All(t => t is Full or Sliding))
            ? types
            : throw config.Wrong("layer_types", $"{layers} times \"{Full}\" or \"{Sliding}\", one for each layer");
    }
}
