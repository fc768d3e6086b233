using System.Globalization;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Reports;

/// <summary>What the experiment does not show, what it was told, and what it ran on.</summary>
internal static class ClosingSections
{
    public static void Limits(Html html, ReportData data, IEnumerable<ReportSection> absent)
    {
        var cells = data.Results.Cells;
        int seeds = cells.Select(ExperimentResults.SeedName).Distinct().Count();
        var attacks = cells.Where(cell => cell.Kind == CellKind.Attack && cell.Run is not null).ToList();
        var points = new List<string>();
        if (seeds < 3) points.Add($"Spread: {seeds} {(seeds == 1 ? "seed" : "seeds")}. Published results of this method swing from .11 to .77 with the seed alone.");
        if (attacks.Count > 0)
        {
            long most = attacks.Max(cell => cell.Run!.Examples);
            points.Add(string.Create(CultureInfo.InvariantCulture, $"Attackers who go on: the longest attack saw {most} examples, the highest learning rate was {Axis.Text(attacks.Max(cell => cell.Run!.LearningRate))}. Longer attacks recover more."));
            if (attacks.All(cell => !cell.Run!.Settings.ContainsKey("lora_rank"))) points.Add("Attacks with low-rank adapters: all attacks trained the whole model.");
        }
        else
        {
            points.Add("Resistance: no attack was run.");
        }

        if (data.Results.Floor is null) points.Add("A floor: no model that never learned was attacked, so it is not known how low harmfulness could be.");
        if (data.Rows.All(row => row.Withheld is null)) points.Add("Kinds of harm that the defence never saw: no category was withheld.");
        if (data.Rows.All(row => row.Kind == CellKind.Task || row.Utility is null)) points.Add("Kept abilities: none was measured.");
        if (cells.Any(cell => cell.Failure is not null)) points.Add($"{cells.Count(cell => cell.Failure is not null)} cells ended in numbers that are not finite; they have no scores.");
        foreach (var section in absent) points.Add($"{section.Title}: the experiment has no data for it.");
        points.Add("Other attacks than fine-tuning: prompts that talk a model out of its refusals, pruning, editing, merging.");
        html.Raw("<section id=\"limits\" aria-labelledby=\"limits-title\"><h2 id=\"limits-title\">What this does not show</h2><ul class=\"plain\">");
        foreach (string point in points) html.Raw($"<li>{Html.Escape(point)}</li>");
        html.Raw("</ul></section>");
    }

    public static void Configuration(Html html, ReportData data)
    {
        html.Raw("<section id=\"configuration\" aria-labelledby=\"configuration-title\"><h2 id=\"configuration-title\">Configuration</h2>");
        var runs = data.Rows.Where(row => row.Cells[0].Run is not null).DistinctBy(row => (row.Kind, row.Kind == CellKind.Defence ? row.Defence : row.Training)).ToList();
        if (runs.Count > 0)
        {
            html.Table("Settings that are not at the command's default", ["run", "command", "steps", "settings"], runs.Select(row => (IReadOnlyList<string>)
            [
                row.Kind == CellKind.Defence ? row.Defence : row.Training!, row.Cells[0].Run!.Command, row.Cells[0].Run!.Steps.ToString(CultureInfo.InvariantCulture),
                string.Join("; ", row.Cells[0].Run!.Settings.Where(setting => setting.Key is not ("seed" or "data_seed" or "threads")).Select(setting => $"{setting.Key}: {setting.Value}")),
            ]), 4);
        }

        if (data.Configuration is { } text) html.Raw($"<details><summary>The experiment's file</summary><pre tabindex=\"0\">{Html.Escape(text)}</pre></details>");
        html.Raw("</section>");
    }

    public static void Footer(Html html, ReportData data)
    {
        html.Raw("<footer>");
        string[] versions = [.. data.Results.Cells.Select(cell => cell.Versions).Distinct()];
        html.Paragraph($"Made by {string.Join("; ", versions)}; on {data.Results.Machine}, device {string.Join(", ", data.Results.Cells.Select(cell => cell.Device).Distinct())}.");
        if (versions.Length > 1) html.Raw("<p class=\"warn\">Cells were made by different versions of the program.</p>");
        double seconds = data.Results.Cells.Sum(cell => cell.Seconds);
        html.Paragraph(string.Create(CultureInfo.InvariantCulture, $"All cells together took {seconds / 60:0.0} minutes."));
        html.Raw("</footer>");
    }
}
