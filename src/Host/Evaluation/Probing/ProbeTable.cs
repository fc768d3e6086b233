using System.Globalization;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Evaluation.Probing;

/// <summary>Probe results for people: a line a depth.</summary>
internal static class ProbeTable
{
    public static void Write(TextWriter writer, ProbeResults results)
    {
        bool compared = results.OtherModel is not null;
        string[] header = ["depth", "probe", "+-", "lens log p", "lens acc", "mlp rms", .. compared ? ["weights L2", "relative"] : Array.Empty<string>()];
        TextTable.Write(writer, [header, .. results.Depths.Select(depth => Row(depth, compared))], _ => true);
        writer.WriteLine();
        string labels = string.Join(", ", results.Labels.Select(label => $"{label.Key} {label.Value}"));
        writer.WriteLine(Text($"probe:  accuracy on test texts ({labels}), mean and deviation over {results.Seeds.Count} splits; guessing reaches {results.Majority:0.000}."));
        writer.WriteLine(Text($"lens:   mean log-probability of {results.LensTokens:#,0} answer tokens, and share that is the likeliest token."));
        writer.WriteLine(Text($"mlp:    root mean square of the outputs of layer depth - 1 on {results.MaskedRows:#,0} rows of the noise term's mask; noise has 1."));
        if (compared) writer.WriteLine($"L2:     distance of the weights of layer depth - 1 (of the embedding at depth 0) to {results.OtherModel}.");
        writer.WriteLine(Text($"pca:    two directions hold {results.Pca.Explained[0]:0.0%} and {results.Pca.Explained[1]:0.0%} of the last depth's variance; --output keeps the points."));
    }

    private static string[] Row(DepthResult depth, bool compared)
    {
        string[] cells =
        [
            Text($"{depth.Depth}"), Text($"{depth.ProbeAccuracy:0.000}"), Text($"{depth.ProbeDeviation:0.000}"), Number(depth.LensLogProbability, "0.000"),
            Number(depth.LensAccuracy, "0.000"), Number(depth.MlpRms, "0.000"),
        ];
        return compared ? [.. cells, Number(depth.WeightDistance?.L2, "0.0000"), Number(depth.WeightDistance?.Relative, "0.0000")] : cells;
    }

    private static string Number(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
