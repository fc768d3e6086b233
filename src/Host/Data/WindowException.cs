using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Data;

/// <summary>A pad that a loss term reads is so far from its text that a layer's sliding window holds no key.</summary>
public sealed class WindowException(string place, int layer, int window, int distance) : InputException(
    place, $"a pad stands {distance} tokens after its text and layer {layer} attends to the last {window} only",
    $"pads at most {window - 1} tokens after the text, so that they see a key",
    "remove the pair, or shorten its longer answer (a smaller max_length does it for all pairs)")
{
    public int Layer { get; } = layer;

    /// <summary>The layer's sliding window in tokens.</summary>
    public int Window { get; } = window;

    /// <summary>Positions between the pad and the last token before it.</summary>
    public int Distance { get; } = distance;
}
