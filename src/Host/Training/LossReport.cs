using RepNoise.Host.Progress;
using RepNoise.Kernels;

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

    /// <summary>MMD of each layer in the noise term's range, in order; <see cref="MmdCount"/> of them count.</summary>
    public double[] Mmd { get; } = new double[layers];

    /// <summary>Lens cross-entropy of each depth 0..L; <see cref="LensCount"/> of them count.</summary>
    public double[] Lens { get; } = new double[layers + 1];

    public int MmdCount { get; set; }

    public int LensCount { get; set; }

    /// <summary>Real tokens of the texts; a shared prompt counts in both of its texts.</summary>
    public int Tokens { get; set; }

    /// <summary>The terms that the run has, by the names of metrics.jsonl; returns how many.</summary>
    public int Terms(Span<LossTerm> target)
    {
        int count = 0;
        if (Stability is { } stability) target[count++] = new LossTerm("stability", stability);
        if (Noise is { } noise) target[count++] = new LossTerm("noise", noise);
        if (Ascent is { } ascent) target[count++] = new LossTerm("ascent", ascent);
        if (Retain is { } retain) target[count++] = new LossTerm("retain", retain);
        return count;
    }

    /// <summary>Name and value of the first term that is NaN or infinite, or null.</summary>
    public (string Term, double Value)? NonFinite()
    {
        if (Bad(Stability)) return ("stability", Stability!.Value);
        if (Bad(Noise)) return ("noise", Noise!.Value);
        if (Bad(Ascent)) return ("ascent", Ascent!.Value);
        if (Bad(Retain)) return ("retain", Retain!.Value);
        return double.IsFinite(Total) ? null : ("loss", Total);
    }

    /// <summary>Shows every term that the run has to the observer of <paramref name="device"/>.</summary>
    public void Show(Device device)
    {
        if (!device.ShowsTensors) return;
        using var scope = device.Scope("terms");
        Span<LossTerm> terms = new LossTerm[4];
        foreach (var term in terms[..Terms(terms)]) device.Show(term.Name, term.Value);
        if (MmdCount > 0) device.Show("mmd", Mmd.AsSpan(0, MmdCount));
        if (LensCount > 0) device.Show("lens_loss", Lens.AsSpan(0, LensCount));
        device.Show("loss", Total);
    }

    /// <summary>Sets everything to zero before <see cref="AddMean"/>.</summary>
    public void Clear()
    {
        (Total, Stability, Noise, Ascent, Retain, Tokens) = (0, null, null, null, null, 0);
        (MmdCount, LensCount) = (0, 0);
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
        (MmdCount, LensCount) = (part.MmdCount, part.LensCount);
        for (int l = 0; l < Mmd.Length; l++) Mmd[l] += part.Mmd[l] * share;
        for (int h = 0; h < Lens.Length; h++) Lens[h] += part.Lens[h] * share;
        Tokens += part.Tokens;
    }

    private static double? Add(double? sum, double? part, double share) => part is null ? sum : (sum ?? 0) + part * share;

    private static bool Bad(double? value) => value is { } v && !double.IsFinite(v);
}
