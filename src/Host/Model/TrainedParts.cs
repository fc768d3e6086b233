namespace RepNoise.Host.Model;

/// <summary>Groups of parameters that can be frozen together.</summary>
public enum PartKind
{
    /// <summary>The token embedding; with a tied head, the head too.</summary>
    Embed,

    /// <summary>The vocabulary head; with a tied embedding, the embedding too.</summary>
    Head,

    /// <summary>The norm after the last layer. Norms within a layer belong to it.</summary>
    Norm,

    /// <summary>A range of decoder layers.</summary>
    Layers,
}

/// <summary>A part of a decoder: <c>embed</c>, <c>head</c>, <c>norm</c>, or layers <c>First</c> to <c>Last</c>, inclusive and from 0.</summary>
public readonly record struct ModelPart(PartKind Kind, int First = 0, int Last = 0);

/// <summary>The linear layers that adapters can stand beside, named as in checkpoints.</summary>
public enum LinearModule
{
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,

    /// <summary>Every one of the above, which is what naming none means too.</summary>
    AllLinear,
}

/// <summary>
/// Low-rank adapters (Hu et al., arXiv 2106.09685): each chosen layer W gets <c>W + alpha / rank * B A</c>, of which only A and B
/// are trained.
/// </summary>
/// <param name="Rank">r, rows of A and columns of B; at least 1.</param>
/// <param name="Alpha">The product is scaled by alpha / rank.</param>
/// <param name="Modules">Where adapters stand; empty for all.</param>
/// <param name="Seed">Seed of A; B begins as zero.</param>
public sealed record LoraOptions(int Rank, double Alpha, IReadOnlyList<LinearModule> Modules, ulong Seed)
{
    public double Scale => Alpha / Rank;

    public bool Covers(LinearModule module) => Modules.Count == 0 || Modules.Contains(LinearModule.AllLinear) || Modules.Contains(module);
}

/// <summary>What of a model is trained: all of it but frozen parts, or adapters beside layers that are not frozen.</summary>
public sealed record TrainedParts
{
    /// <summary>Every parameter.</summary>
    public static TrainedParts All { get; } = new();

    public IReadOnlyList<ModelPart> Frozen { get; init; } = [];

    /// <summary>Adapters, or null to train the parameters themselves.</summary>
    public LoraOptions? Lora { get; init; }

    public bool Freezes(PartKind kind) => Frozen.Any(part => part.Kind == kind);

    public bool FreezesLayer(int layer) => Frozen.Any(part => part.Kind == PartKind.Layers && part.First <= layer && layer <= part.Last);
}
