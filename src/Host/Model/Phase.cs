namespace RepNoise.Host.Model;

/// <summary>
/// Names of the stretches of work that a device's observer is told of, and how they nest: a step holds micro-batches and the
/// optimizer's work; a micro-batch holds data, forward, loss and backward; forward and backward hold layers.
/// </summary>
public static class Phase
{
    /// <summary>An optimizer step, indexed from 1 as in metrics.jsonl, or a forward pass of a text that is generated.</summary>
    public const string Step = "step";

    /// <summary>The one stretch of a step that generates: a forward pass and its logits.</summary>
    public const string Pass = "pass";

    /// <summary>A micro-batch of a step, indexed from 0.</summary>
    public const string MicroBatch = "micro_batch";

    /// <summary>Packing a batch and loading it onto the device.</summary>
    public const string Data = "data";

    public const string Forward = "forward";

    /// <summary>What happens between forward and backward: losses of final logits and of the lens.</summary>
    public const string Loss = "loss";

    public const string Backward = "backward";

    /// <summary>Clearing gradients, their norm, the update.</summary>
    public const string Optimizer = "optimizer";

    /// <summary>A decoder layer, indexed from 0.</summary>
    public const string Layer = "layer";

    /// <summary>The noise term's work in a layer.</summary>
    public const string Noise = "noise";
}
