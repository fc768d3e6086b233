namespace RepNoise.Host.Training;

/// <summary>
/// The terms of one loss, or their means over the micro-batches of a step. Terms that a run does not have are null. One instance
/// is refilled for each micro-batch, so the steady state allocates nothing.
/// </summary>
public sealed class LossReport(int layers)
{
    /// <summary>What is minimised.</summary>
    public double Total { get; set; }

    /// <summary>Cross-entropy of the harmless pass.</summary>
    public double? Stability { get; set; }

    /// <summary>Mean MMD over the layers of the noise term.</summary>
    public double? Noise { get; set; }

    /// <summary>The ascent, before its logarithm.</summary>
    public double? Ascent { get; set; }

    /// <summary>Cross-entropy of the retain examples.</summary>
    public double? Retain { get; set; }

    /// <summary>MMD of each layer; NaN where a layer is outside the noise term's range.</summary>
    public double[] Mmd { get; } = new double[layers];

    /// <summary>Lens cross-entropy of each depth 0..L.</summary>
    public double[] Lens { get; } = new double[layers + 1];

    /// <summary>True where <see cref="Mmd"/> is filled.</summary>
    public bool HasMmd { get; set; }

    /// <summary>True where <see cref="Lens"/> is filled.</summary>
    public bool HasLens { get; set; }

    /// <summary>Real tokens of the texts; a shared prompt counts in both of its texts.</summary>
    public int Tokens { get; set; }

    /// <summary>Name and value of the first term that is NaN or infinite, or null.</summary>
    public (string Term, double Value)? NonFinite()
    {
        if (Bad(Stability)) return ("stability", Stability!.Value);
        if (Bad(Noise)) return ("noise", Noise!.Value);
        if (Bad(Ascent)) return ("ascent", Ascent!.Value);
        if (Bad(Retain)) return ("retain", Retain!.Value);
        return double.IsFinite(Total) ? null : ("loss", Total);
    }

    /// <summary>Sets everything to zero before <see cref="AddMean"/>.</summary>
    public void Clear()
    {
        (Total, Stability, Noise, Ascent, Retain, Tokens) = (0, null, null, null, null, 0);
        (HasMmd, HasLens) = (false, false);
        Array.Clear(Mmd);
        Array.Clear(Lens);
    }

    /// <summary>Adds a micro-batch's terms with its share of the mean; tokens are summed.</summary>
    public void AddMean(LossReport part, double share)
    {
        Total += part.Total * share;
        Stability = Add(Stability, part.Stability, share);
        Noise = Add(Noise, part.Noise, share);
        Ascent = Add(Ascent, part.Ascent, share);
        Retain = Add(Retain, part.Retain, share);
        (HasMmd, HasLens) = (part.HasMmd, part.HasLens);
        for (int l = 0; l < Mmd.Length; l++) Mmd[l] += part.Mmd[l] * share;
        for (int h = 0; h < Lens.Length; h++) Lens[h] += part.Lens[h] * share;
        Tokens += part.Tokens;
    }

    private static double? Add(double? sum, double? part, double share) => part is null ? sum : (sum ?? 0) + part * share;

    private static bool Bad(double? value) => value is { } v && !double.IsFinite(v);
}
