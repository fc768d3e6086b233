namespace RepNoise.Host.Dumps;

/// <summary>What a dump can be limited to; the names with which the tensors' own names begin.</summary>
public enum DumpPart
{
    /// <summary>Ids and positions of the batch.</summary>
    Data,

    /// <summary>Embeddings, and each layer's attention, MLP output and residual stream; logits of a text that is generated.</summary>
    Forward,

    /// <summary>Cross-entropy of each target.</summary>
    Loss,

    /// <summary>Gradients of the residual stream.</summary>
    Backward,

    /// <summary>Gradients of the parameters, summed over micro-batches, before clipping.</summary>
    Gradient,

    /// <summary>The parameters after the step.</summary>
    Weight,
}
