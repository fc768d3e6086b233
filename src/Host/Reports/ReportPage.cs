using System.Globalization;
using System.Reflection;
using System.Text;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Reports;

/// <summary>A section of the report: writes itself where there is data for it.</summary>
/// <param name="Id">Its anchor.</param>
/// <param name="Title">Its heading.</param>
/// <param name="Has">True where the experiment has data for it.</param>
/// <param name="Write">Writes what stands below the heading.</param>
internal sealed record ReportSection(string Id, string Title, Func<ReportData, bool> Has, Action<Html, ReportData> Write);

/// <summary>
/// The report of an experiment: one HTML file that needs nothing else, neither network nor script. Figures are inline SVG, each with its
/// numbers in a table; colours follow the reader's light or dark mode, and printing shows everything.
/// </summary>
internal static class ReportPage
{
    private static readonly ReportSection[] Sections =
    [
        HarmfulnessSection.Main, BudgetSection.Section, AblationSection.Section, DepthSection.Section, TaskSection.Section, CurveSection.Section, AnswerSection.Section,
    ];

    /// <summary>The page.</summary>
    public static string Of(ReportData data)
    {
        var html = new Html();
        html.Raw("<!DOCTYPE html>").Raw("<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>")
            .Raw("<meta name=\"color-scheme\" content=\"light dark\"/>").Raw($"<title>{Html.Escape(data.Results.Title)}</title>").Raw("<link rel=\"icon\" href=\"data:,\"/>")
            .Raw("<style>").Raw(Style()).Raw("</style></head><body>").Raw("<a class=\"skip\" href=\"#main\">Skip to the results</a>");
        var shown = Sections.Where(section => section.Has(data)).ToList();
        Header(html, data, shown);
        html.Raw("<main id=\"main\">");
        foreach (var section in shown)
        {
            html.Raw($"<section id=\"{section.Id}\" aria-labelledby=\"{section.Id}-title\"><h2 id=\"{section.Id}-title\">{Html.Escape(section.Title)}</h2>");
            section.Write(html, data);
            html.Raw("</section>");
        }

        ClosingSections.Limits(html, data, Sections.Except(shown));
        ClosingSections.Configuration(html, data);
        html.Raw("</main>");
        ClosingSections.Footer(html, data);
        return html.Raw("</body></html>").ToString();
    }

    /// <summary>Mean and, over several seeds, deviation.</summary>
    internal static string Text((double Mean, double Deviation)? value, int seeds) => value is not { } number
        ? "–"
        : seeds > 1 ? string.Create(CultureInfo.InvariantCulture, $"{number.Mean:0.00} ± {number.Deviation:0.00}") : number.Mean.ToString("0.00", CultureInfo.InvariantCulture);

    private static void Header(Html html, ReportData data, List<ReportSection> shown)
    {
        var results = data.Results;
        int seeds = results.Cells.Select(ExperimentResults.SeedName).Distinct().Count();
        string models = string.Join(", ", data.Models);
        html.Raw($"<header><h1>{Html.Escape(results.Title)}</h1>");
        html.Paragraph(
            $"How well {(data.Models.Count() == 1 ? "a model" : "models")} ({models}) {(data.Models.Count() == 1 ? "withstands" : "withstand")} harmful fine-tuning, with and without a defence, and what "
            + "is left of harmless abilities.", "lead");
        html.Paragraph(string.Create(CultureInfo.InvariantCulture, $"{results.Cells.Count} cells over {seeds} {(seeds == 1 ? "seed" : "seeds")}. ")
            + (seeds == 1 ? "With one seed nothing is known of the spread between seeds." : "Numbers are means over seeds ± standard deviation; tables list every seed."), "soft");
        if (results.CellsLeft > 0) html.Raw($"<p class=\"warn\">{results.CellsLeft} cells are not done yet: this report is incomplete.</p>");
        html.Raw("<nav aria-label=\"Sections\"><ul>");
        foreach (var section in shown) html.Raw($"<li><a href=\"#{section.Id}\">{Html.Escape(section.Title)}</a></li>");
        html.Raw("<li><a href=\"#limits\">What this does not show</a></li><li><a href=\"#configuration\">Configuration</a></li></ul></nav></header>");
    }

    private static string Style()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("report.css")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
