using RepNoise.Host.Experiments;

namespace RepNoise.Host.Reports;

/// <summary>What models learn that they did not know: harmless fine-tuning after the defence.</summary>
internal static class TaskSection
{
    public static ReportSection Section { get; } = new("tasks", "Learning something new", data => data.Rows.Any(row => row.Kind == CellKind.Task), Write);

    private static void Write(Html html, ReportData data)
    {
        html.Paragraph("A defended model should still learn harmless tasks. The bars are the task's own score after fine-tuning on it.");
        foreach (var (title, rows) in data.Groups)
        {
            var tasks = rows.Where(row => row.Kind == CellKind.Task).ToList();
            if (tasks.Count == 0) continue;
            html.Raw("<div class=\"panels\">");
            foreach (var task in tasks.GroupBy(row => row.Training))
                BarFigure.Write(html, $"{task.Key}, {title}", [.. task.Select(row => new Bar(row.Defence == ExperimentReader.None ? "undefended" : row.Defence, null, row.Utility, row.Failed ? "not finite" : null))], null);
            html.Raw("</div>");
            html.Table($"Tasks, {title}", ["defence", "task", "score", "each seed"], tasks.Select(row => (IReadOnlyList<string>)
            [
                row.Defence == ExperimentReader.None ? "undefended" : row.Defence, row.Training!, ReportPage.Text(row.Utility, row.Cells.Count), row.BySeed(MeasureRole.Utility),
            ]), 2);
        }
    }
}
