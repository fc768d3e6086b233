using System.Globalization;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Reports;

/// <summary>What an attacker gets for more: harmfulness by learning rate and by examples seen.</summary>
internal static class BudgetSection
{
    public static ReportSection Section { get; } = new(
        "budget", "The attacker's budget", data => data.Groups.Any(group => Budgets(group.Rows).Any()), Write);

    private static void Write(Html html, ReportData data)
    {
        html.Paragraph("A defence raises the price of an attack; it does not end it. Each line is one defence; to the right the attacker spends more. Where a line rises towards the undefended one, the defence breaks.");
        var groups = data.Groups.Where(group => Budgets(group.Rows).Any()).ToList();
        foreach (var (title, rows) in groups)
        {
            if (groups.Count > 1) html.Raw($"<h3>{Html.Escape(title)}</h3>");
            string[] defences = [.. rows.Select(row => row.Defence).Distinct()];
            LineFigure.Key(html, defences.Select((defence, i) => (defence == ExperimentReader.None ? "undefended" : defence, i)));
            html.Raw("<div class=\"panels\">");
            foreach (var (name, label, x, attacks) in Budgets(rows))
            {
                var series = defences.Select((defence, i) => new Series(defence == ExperimentReader.None ? "undefended" : defence, i,
                    [.. attacks.Where(row => row.Defence == defence && row.Harm is not null).OrderBy(x).Select(row => new FigurePoint(x(row), row.Harm!.Value.Mean, row.Harm.Value.Deviation))]))
                    .Where(line => line.Points.Count > 0).ToList();
                double? floor = attacks.Select(data.Floor).OfType<double>().Select(value => (double?)value).DefaultIfEmpty(null).Average();
                LineFigure.Write(html, name, new Axis(label, attacks.Select(x), isLog: true), new Axis("harmfulness", [], from: 0, to: 1), series,
                    reference: floor is { } level ? ("never learned (mean)", level) : null);
            }

            html.Raw("</div>");
            Table(html, title, rows);
        }
    }

    private static void Table(Html html, string title, IReadOnlyList<ReportRow> rows) => html.Table(
        $"Attacks by budget, {title}", ["attack", "defence", "learning rate", "steps", "examples seen", "harmfulness"],
        rows.Where(row => row.Kind == CellKind.Attack).OrderBy(Examples).ThenBy(Rate).Select(row => (IReadOnlyList<string>)
        [
            row.Training!, row.Defence == ExperimentReader.None ? "undefended" : row.Defence, Axis.Text(Rate(row)),
            (row.Cells[0].Run?.Steps ?? 0).ToString(CultureInfo.InvariantCulture), Examples(row).ToString(CultureInfo.InvariantCulture), ReportPage.Text(row.Harm, row.Cells.Count),
        ]), 2);

    /// <summary>A panel for each thing that attacks differ in while the other is equal.</summary>
    private static IEnumerable<(string Name, string Label, Func<ReportRow, double> X, List<ReportRow> Attacks)> Budgets(IReadOnlyList<ReportRow> rows)
    {
        var attacks = rows.Where(row => row.Kind == CellKind.Attack && row.Harm is not null && row.Cells[0].Run is not null).ToList();
        foreach (var equal in attacks.GroupBy(Examples).Where(group => group.Select(Rate).Distinct().Count() > 1))
            yield return ($"By learning rate, {equal.Key.ToString(CultureInfo.InvariantCulture)} examples", "learning rate", Rate, [.. equal]);
        foreach (var equal in attacks.GroupBy(Rate).Where(group => group.Select(Examples).Distinct().Count() > 1))
            yield return ($"By examples seen, learning rate {Axis.Text(equal.Key)}", "examples seen", row => Examples(row), [.. equal]);
    }

    private static double Rate(ReportRow row) => row.Cells[0].Run?.LearningRate ?? 0;

    private static long Examples(ReportRow row) => row.Cells.Max(cell => cell.Run?.Examples ?? 0);
}
