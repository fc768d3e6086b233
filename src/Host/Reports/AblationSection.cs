using System.Globalization;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Reports;

/// <summary>What each defence does differently from the first one, and what comes of it.</summary>
internal static class AblationSection
{
    public static ReportSection Section { get; } = new("ablations", "Ablations and baselines", data => data.Groups.Any(group => Defended(group.Rows).Count > 1), Write);

    private static void Write(Html html, ReportData data)
    {
        html.Paragraph("Every defence by the settings in which it differs from the first. Resistance is worth something only beside utility.");
        foreach (var (title, rows) in data.Groups.Where(group => Defended(group.Rows).Count > 1))
        {
            var defended = Defended(rows);
            var reference = defended[0].Cells[0].Run!.Settings;
            string?[] stages = [.. rows.Where(row => row.Kind != CellKind.Task).Select(row => row.Training).Distinct()];
            html.Table($"Defences, {title}", ["defence", "differs in", "utility", .. stages.Select(stage => stage ?? "before")],
                defended.Select(row => (IReadOnlyList<string>)
                [
                    row.Defence, ReferenceEquals(row, defended[0]) ? "the reference" : Differences(row.Cells[0].Run!.Settings, reference),
                    ReportPage.Text(row.Utility, row.Cells.Count) + (data.Note(row) is { } note ? $" ✕ {note}" : ""),
                    .. stages.Select(stage => rows.FirstOrDefault(other => other.Kind != CellKind.Task && other.Defence == row.Defence && other.Training == stage) is { } cell
                        ? cell.Failed ? "not finite" : ReportPage.Text(cell.Harm, cell.Cells.Count)
                        : "–"),
                ]), 2);
        }
    }

    private static List<ReportRow> Defended(IReadOnlyList<ReportRow> rows) => [.. rows.Where(row => row.Kind == CellKind.Defence && row.Cells[0].Run is not null)];

    private static string Differences(IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> reference)
    {
        var names = settings.Keys.Union(reference.Keys).Where(name => name is not ("seed" or "data_seed") && settings.GetValueOrDefault(name) != reference.GetValueOrDefault(name));
        string text = string.Join("; ", names.Select(name => string.Create(CultureInfo.InvariantCulture, $"{name}: {settings.GetValueOrDefault(name) ?? "default"}")));
        return text.Length > 0 ? text : "nothing";
    }
}
