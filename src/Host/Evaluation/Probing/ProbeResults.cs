namespace RepNoise.Host.Evaluation.Probing;

/// <summary>What <c>probe</c> found: <c>probe.json</c>.</summary>
public sealed record ProbeResults
{
    public required string Model { get; init; }

    public required string Device { get; init; }

    public required string Version { get; init; }

    public required string Data { get; init; }

    /// <summary>Number of texts with each label, in the order of first appearance.</summary>
    public required IReadOnlyDictionary<string, int> Labels { get; init; }

    /// <summary>Seeds of the splits into training and test texts.</summary>
    public required IReadOnlyList<ulong> Seeds { get; init; }

    /// <summary>Share of texts of the most frequent label: what guessing reaches.</summary>
    public required double Majority { get; init; }

    /// <summary>Answer tokens under the lens.</summary>
    public required long LensTokens { get; init; }

    /// <summary>Rows whose MLP outputs were measured.</summary>
    public required long MaskedRows { get; init; }

    /// <summary>The model that weights are compared with, or null.</summary>
    public string? OtherModel { get; init; }

    /// <summary>Depth 0, the embedding, to L, the last layer's output.</summary>
    public required IReadOnlyList<DepthResult> Depths { get; init; }

    /// <summary>Distance of the final norm's weights, or null.</summary>
    public Distance? FinalNormDistance { get; init; }

    /// <summary>Distance of the head's weights; null where it is the embedding, or nothing was compared.</summary>
    public Distance? HeadDistance { get; init; }

    /// <summary>The texts' mean activations at the last depth in two dimensions.</summary>
    public required PcaResult Pca { get; init; }
}

/// <summary>One depth of the residual stream; above 0 with the layer that wrote it, depth - 1.</summary>
public sealed record DepthResult
{
    public required int Depth { get; init; }

    /// <summary>Mean over the seeds of the linear probe's accuracy on test texts.</summary>
    public required double ProbeAccuracy { get; init; }

    /// <summary>Deviation over the seeds (n - 1).</summary>
    public required double ProbeDeviation { get; init; }

    /// <summary>Accuracy of each seed.</summary>
    public required IReadOnlyList<double> ProbeBySeed { get; init; }

    /// <summary>Mean log-probability that the lens gives the answers' tokens; null where there are none.</summary>
    public double? LensLogProbability { get; init; }

    /// <summary>Share of these tokens that are the lens's likeliest.</summary>
    public double? LensAccuracy { get; init; }

    /// <summary>Root mean square of the layer's MLP outputs on masked rows; standard noise has 1. Null at depth 0.</summary>
    public double? MlpRms { get; init; }

    /// <summary>Distance of the layer's weights, of the embedding's at depth 0; null where nothing was compared.</summary>
    public Distance? WeightDistance { get; init; }
}

/// <summary>Principal components.</summary>
/// <param name="Explained">Share of the variance of either direction.</param>
/// <param name="Points">Every text.</param>
public sealed record PcaResult(IReadOnlyList<double> Explained, IReadOnlyList<PcaPoint> Points);

/// <summary>A text on the two directions.</summary>
public sealed record PcaPoint(double X, double Y, string Label, string Place);
