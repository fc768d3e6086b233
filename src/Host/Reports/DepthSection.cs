using System.Globalization;
using RepNoise.Host.Evaluation.Probing;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Reports;

/// <summary>What is left of harmful knowledge at each depth: probes of the undefended, defended and attacked models.</summary>
internal static class DepthSection
{
    public static ReportSection Section { get; } = new("depth", "Depth", data => data.Rows.Any(row => data.Probes(row).Count > 0), Write);

    private static void Write(Html html, ReportData data)
    {
        html.Paragraph("Depth 0 is the embedding, depth d the output of layer d. The probe tells harmful from harmless texts; the lens reads each depth as if it were the last and asks for the harmful answers' tokens. Means over seeds.");
        foreach (var (title, rows) in data.Groups)
        {
            // Beyond the styles of lines nothing can be told apart: the undefended model and the first defences come first.
            var probed = rows.Where(row => data.Probes(row).Count > 0).Take(LineFigure.Styles).ToList();
            if (probed.Count == 0) continue;
            if (data.Groups.Count() > 1) html.Raw($"<h3>{Html.Escape(title)}</h3>");
            LineFigure.Key(html, probed.Select((row, i) => (Name(row), i)));
            html.Raw("<div class=\"panels\">");
            double majority = data.Probes(probed[0])[0].Majority;
            Panel(html, data, probed, "Linear probe: accuracy", "accuracy", depth => depth.ProbeAccuracy, ("guessing", majority), 0, 1);
            Panel(html, data, probed, "Lens: mean log-probability", "log-probability", depth => depth.LensLogProbability);
            Panel(html, data, probed, "Lens: share of likeliest tokens", "share", depth => depth.LensAccuracy, null, 0, 1);
            Panel(html, data, probed, "MLP outputs: root mean square", "RMS", depth => depth.MlpRms, ("standard noise", 1), 0);
            Panel(html, data, probed, "Weights: distance from the start, as a share", "share", depth => depth.WeightDistance?.Relative, null, 0);
            html.Raw("</div>");
            foreach (var row in probed) Table(html, data, row);
            html.Raw("<h3>Last layer in two dimensions</h3>");
            html.Paragraph("Principal components of the last layer's mean activations, the first seed: a point for each text, on axes of each model's own.", "soft");
            string[] labels = [.. data.Probes(probed[0])[0].Labels.Keys];
            LineFigure.Key(html, labels.Select((label, i) => (label, i)), lines: false);
            html.Raw("<div class=\"panels\">");
            foreach (var row in probed) Scatter(html, Name(row), data.Probes(row)[0].Pca, labels);
            html.Raw("</div>");
        }
    }

    private static string Name(ReportRow row) => (row.Defence == ExperimentReader.None ? "undefended" : row.Defence) + (row.Training is null ? "" : $", after {row.Training}");

    private static void Panel(
        Html html, ReportData data, List<ReportRow> rows, string title, string label, Func<DepthResult, double?> value, (string, double)? reference = null, double? from = null, double? to = null)
    {
        var lines = rows.Select((row, i) => new Series(Name(row), i, Points(data.Probes(row), value))).Where(line => line.Points.Count > 0).ToList();
        if (lines.Count == 0) return;
        var points = lines.SelectMany(line => line.Points).ToList();
        var values = points.Select(point => point.Y).Concat(reference is var (_, level) ? [level] : []);
        LineFigure.Write(html, title, new Axis("depth", points.Select(point => point.X)), new Axis(label, values, from: from, to: to), lines, reference: reference);
    }

    private static List<FigurePoint> Points(IReadOnlyList<ProbeResults> probes, Func<DepthResult, double?> value) =>
    [
        .. probes.SelectMany(probe => probe.Depths).GroupBy(depth => depth.Depth).OrderBy(group => group.Key)
            .Select(group => (group.Key, Values: group.Select(value).OfType<double>().ToList())).Where(depth => depth.Values.Count > 0)
            .Select(depth => new FigurePoint(depth.Key, depth.Values.Average())),
    ];

    private static void Table(Html html, ReportData data, ReportRow row)
    {
        var probes = data.Probes(row);
        string At(int depth, Func<DepthResult, double?> value) => Points(probes, value) is var points && points.Exists(point => point.X == depth)
            ? points.Find(point => point.X == depth).Y.ToString("0.000", CultureInfo.InvariantCulture)
            : "–";
        html.Raw($"<details><summary>Numbers: {Html.Escape(Name(row))}</summary>");
        html.Table($"Depth, {Name(row)}, {row.Model}", ["depth", "probe accuracy", "lens log-probability", "lens share", "MLP RMS", "weight distance"],
            probes[0].Depths.Select(depth => (IReadOnlyList<string>)
            [
                depth.Depth.ToString(CultureInfo.InvariantCulture), At(depth.Depth, d => d.ProbeAccuracy), At(depth.Depth, d => d.LensLogProbability), At(depth.Depth, d => d.LensAccuracy),
                At(depth.Depth, d => d.MlpRms), At(depth.Depth, d => d.WeightDistance?.Relative),
            ])).Raw("</details>");
    }

    private static void Scatter(Html html, string name, PcaResult pca, string[] labels)
    {
        var series = labels.Select((label, i) => new Series(label, i, [.. pca.Points.Where(point => point.Label == label).Select(point => new FigurePoint(point.X, point.Y))])).ToList();
        string share = string.Create(CultureInfo.InvariantCulture, $"{name}: {pca.Explained.Sum():0%} of the variance");
        LineFigure.Write(html, share, new Axis("first component", pca.Points.Select(point => point.X)), new Axis("second component", pca.Points.Select(point => point.Y)), series, connected: false);
    }
}
