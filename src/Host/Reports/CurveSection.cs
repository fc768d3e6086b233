using RepNoise.Host.Experiments;
using RepNoise.Host.Progress;

namespace RepNoise.Host.Reports;

/// <summary>Every term of every defence's loss over its steps.</summary>
internal static class CurveSection
{
    /// <summary>Points of a line; more cannot be told apart on a panel.</summary>
    private const int MostPoints = 100;

    private static readonly string[] Terms = ["loss", "stability", "noise", "ascent", "retain"];

    public static ReportSection Section { get; } = new(
        "curves", "Training curves", data => data.Rows.Any(row => row.Kind == CellKind.Defence && row.Cells.Any(cell => data.Metrics(cell) is not null)), Write);

    private static void Write(Html html, ReportData data)
    {
        html.Paragraph("Means over neighbouring steps; terms as they enter the loss, without their weights. A line for each seed.");
        foreach (var row in data.Rows.Where(row => row.Kind == CellKind.Defence))
        {
            var runs = row.Cells.Select((cell, i) => (Seed: ExperimentResults.SeedName(cell), Style: i, Metrics: data.Metrics(cell)!)).Where(run => run.Metrics is { LastStep: > 0 }).ToList();
            if (runs.Count == 0) continue;
            html.Raw($"<h3>{Html.Escape(row.Defence + ", " + row.Model + (row.Withheld is null ? "" : $", {row.Withheld} withheld"))}</h3>");
            if (runs.Count > 1) LineFigure.Key(html, runs.Select(run => ($"seed {run.Seed}", run.Style)));
            html.Raw("<div class=\"panels\">");
            var ends = new List<IReadOnlyList<string>>();
            foreach (string term in Terms)
            {
                var lines = runs.Select(run => new Series($"seed {run.Seed}", run.Style, Points(run.Metrics, term))).Where(line => line.Points.Count > 0).ToList();
                if (lines.Count == 0) continue;
                LineFigure.Write(html, term, new Axis("step", lines.SelectMany(line => line.Points).Select(point => point.X)), new Axis(term, lines.SelectMany(line => line.Points).Select(point => point.Y)), lines, markers: false);
                ends.AddRange(lines.Select(line => (IReadOnlyList<string>)[term, line.Name, Axis.Text(Math.Round(line.Points[0].Y, 4)), Axis.Text(Math.Round(line.Points.Min(point => point.Y), 4)), Axis.Text(Math.Round(line.Points[^1].Y, 4))]));
            }

            html.Raw("</div><details><summary>Numbers</summary>");
            html.Table($"Loss terms, {row.Defence}", ["term", "seed", "first", "least", "last"], ends, 2).Raw("</details>");
        }
    }

    /// <summary>Means of equal stretches of steps.</summary>
    private static List<FigurePoint> Points(MetricsReader metrics, string term)
    {
        int steps = metrics.LastStep, bins = Math.Min(MostPoints, steps);
        var points = new List<FigurePoint>();
        for (int bin = 0; bin < bins; bin++)
        {
            int first = 1 + (int)((long)steps * bin / bins), last = (int)((long)steps * (bin + 1) / bins);
            double[] values = [.. Enumerable.Range(first, last - first + 1).Select(step => metrics.Value(step, term)).OfType<double>()];
            if (values.Length > 0) points.Add(new FigurePoint((first + last) / 2.0, values.Average()));
        }

        return points;
    }
}
