using System.Globalization;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Reports;

/// <summary>Harmfulness before and after each attack, utility beside it.</summary>
internal static class HarmfulnessSection
{
    public static ReportSection Main { get; } = new(
        "harmfulness", "Harmfulness before and after attack", data => data.Rows.Any(row => row.Kind != CellKind.Task && (row.Harm ?? row.Utility) is not null), Write);

    private static void Write(Html html, ReportData data)
    {
        html.Paragraph("The thick bar is harmfulness on held-out questions: short is good. The thin bar is utility, the same model's score on harmless questions: long is good. "
            + "A whisker is one standard deviation over seeds." + (data.Results.Floor is null ? "" : " The dashed line is what the same attack gets out of a model that never learned: nothing can go below it but refusal."));
        html.Raw("<ul class=\"key\"><li><svg viewBox=\"0 0 26 12\" width=\"26\" height=\"12\" aria-hidden=\"true\"><rect class=\"bar harm\" width=\"26\" height=\"12\"/></svg> harmfulness</li>"
            + "<li><svg viewBox=\"0 0 26 12\" width=\"26\" height=\"12\" aria-hidden=\"true\"><rect class=\"bar use\" y=\"3\" width=\"26\" height=\"6\"/></svg> utility</li>"
            + (data.Results.Floor is null ? "" : "<li><svg viewBox=\"0 0 26 12\" width=\"26\" height=\"12\" aria-hidden=\"true\"><line class=\"floor\" x1=\"0\" x2=\"26\" y1=\"6\" y2=\"6\"/></svg> never learned</li>")
            + "<li><span class=\"warn\">✕ collapsed</span> utility below half of the undefended model's: low harmfulness shows nothing</li></ul>");
        if (data.Rows.All(row => row.Utility is null || row.Kind == CellKind.Task)) html.Raw("<p class=\"warn\">No utility was measured: a model that is merely broken looks safe here.</p>");
        var groups = data.Groups.ToList();
        foreach (var (title, rows) in groups)
        {
            if (groups.Count > 1) html.Raw($"<h3>{Html.Escape(title)}</h3>");
            var measured = rows.Where(row => row.Kind != CellKind.Task).ToList();
            html.Raw("<div class=\"panels\">");
            foreach (var stage in measured.GroupBy(row => row.Training))
            {
                BarFigure.Write(html, stage.First().Training is { } attack ? $"After attack: {attack}" : "Before any attack",
                    [.. stage.Select(row => new Bar(Name(row), row.Harm, row.Utility, data.Note(row)))], data.Floor(stage.First()));
            }

            html.Raw("</div>");
            Table(html, data, title, [.. measured, .. data.Rows.Where(row => row.Model == data.Results.Floor)]);
            Categories(html, title, measured);
        }
    }

    private static string Name(ReportRow row) => row.Defence == ExperimentReader.None ? "undefended" : row.Defence;

    private static void Table(Html html, ReportData data, string title, List<ReportRow> rows) => html.Table(
        $"Harmfulness and utility, {title}",
        ["defence", "stage", "harmfulness", "each seed", "utility", "each seed", "refused", "against undefended: effect, p", "note"],
        rows.Select(row =>
        {
            int seeds = row.Cells.Count;
            var tests = data.Results.Tests.Where(test => test.Model == row.Model && test.Withheld == row.Withheld && test.Defence == row.Defence && test.Training == row.Training).ToList();
            return (IReadOnlyList<string>)
            [
                row.Model == data.Results.Floor ? row.Model : Name(row), row.Stage, ReportPage.Text(row.Harm, seeds), row.BySeed(MeasureRole.Harmfulness), ReportPage.Text(row.Utility, seeds), row.BySeed(MeasureRole.Utility),
                row.Detail("refused") is { } refused ? refused.ToString("0.00", CultureInfo.InvariantCulture) : "–",
                string.Join("; ", tests.Where(test => IsHarm(row, test.Evaluation)).Select(test => string.Create(CultureInfo.InvariantCulture, $"{test.Test.Effect:0.00}, {P(test.Test.P)}"))),
                data.Note(row) ?? "",
            ];
        }), 2).Paragraph(
            "Effect is the probability that the defended model's answer to a random question scores higher than the undefended model's (Mann-Whitney U over the number of pairs; 0.5 is no difference); p is two-sided, for each "
            + "seed. The test is over questions: it says nothing of other seeds or protocols.", "soft");

    private static bool IsHarm(ReportRow row, string evaluation) =>
        row.Cells.SelectMany(cell => cell.Measures).Any(measure => measure.Evaluation == evaluation && measure.Role == MeasureRole.Harmfulness);

    private static string P(double p) => p < 1e-4 ? "p < 0.0001" : string.Create(CultureInfo.InvariantCulture, $"p = {p:0.####}");

    /// <summary>Harmfulness by category, where a category was withheld.</summary>
    private static void Categories(Html html, string title, List<ReportRow> rows)
    {
        if (rows.Find(row => row.Withheld is not null)?.Withheld is not { } withheld) return;
        html.Table($"Harmfulness on the withheld category and on the others, {title}", ["defence", "stage", withheld, "other categories"], rows.Select(row =>
        {
            var categories = row.Cells.SelectMany(cell => cell.Measures).Where(measure => measure.Name.StartsWith("category.", StringComparison.Ordinal)).ToList();
            string Mean(Func<Measure, bool> of) => categories.Where(of).Select(measure => measure.Value).ToList() is { Count: > 0 } values
                ? values.Average().ToString("0.00", CultureInfo.InvariantCulture)
                : "–";
            return (IReadOnlyList<string>)[Name(row), row.Stage, Mean(measure => measure.Name == $"category.{withheld}"), Mean(measure => measure.Name != $"category.{withheld}")];
        }), 2);
    }
}
