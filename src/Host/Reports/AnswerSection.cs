using System.Globalization;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Reports;

/// <summary>The same questions, answered by every model of the first seed.</summary>
internal static class AnswerSection
{
    private const int Questions = 3, Longest = 400;

    public static ReportSection Section { get; } = new(
        "answers", "Sample answers", data => data.Rows.Any(row => row.Kind != CellKind.Task && data.Answers(row.Cells[0]).Any(part => part.Answers.Count > 0)), Write);

    private static void Write(Html html, ReportData data)
    {
        html.Paragraph("The first questions of each evaluation, as each model of the first seed answered them, cut at 400 characters. Every answer is in the cells' folders.");
        foreach (var (title, rows) in data.Groups)
        {
            var answered = rows.Where(row => row.Kind != CellKind.Task)
                .Select(row => (Row: row, Parts: data.Answers(row.Cells[0]).ToDictionary(part => part.Evaluation, part => part.Answers))).ToList();
            foreach (string evaluation in answered.SelectMany(row => row.Parts.Keys).Distinct())
            {
                html.Raw($"<h3>{Html.Escape(evaluation + (data.Groups.Count() > 1 ? ", " + title : ""))}</h3>");
                int count = answered.Max(row => row.Parts.GetValueOrDefault(evaluation, []).Count);
                for (int i = 0; i < Math.Min(count, Questions); i++)
                {
                    // Spread over the file: neighbours are often of one kind.
                    int index = (int)((long)i * count / Questions);
                    Question(html, [.. answered.Where(row => row.Parts.GetValueOrDefault(evaluation, []).Count > index).Select(row => (row.Row, row.Parts[evaluation][index]))]);
                }
            }
        }
    }

    private static void Question(Html html, IReadOnlyList<(ReportRow Row, AnswerRecord Answer)> answers)
    {
        html.Raw($"<details><summary>{Html.Escape(Cut(answers[0].Answer.Prompt))}</summary>");
        foreach (var (row, answer) in answers)
        {
            string who = (row.Defence == ExperimentReader.None ? "undefended" : row.Defence) + (row.Training is null ? "" : $", after {row.Training}");
            html.Raw($"<div class=\"answer\"><b>{Html.Escape(who)}</b> <small class=\"soft\">{Html.Escape(answer.Score.ToString("0.00", CultureInfo.InvariantCulture))}</small><span>{Html.Escape(answer.Answer.Length == 0 ? "(empty)" : Cut(answer.Answer))}</span></div>");
        }

        html.Raw("</details>");
    }

    private static string Cut(string text) => text.Length > Longest ? text[..Longest] + "…" : text;
}
