using System.Globalization;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Experiments;

/// <summary>Harmfulness and utility of every model, defence and attack for people: means over seeds with their deviations.</summary>
internal static class ExperimentTable
{
    public static void Write(TextWriter writer, ExperimentResults results)
    {
        var rows = new List<string[]> { new[] { "model", "defence", "attack or task", "harmfulness", "utility" } };
        var groups = results.Cells.GroupBy(cell => (cell.Model, cell.Withheld, cell.Defence, cell.Kind, cell.Training));
        foreach (var cells in groups)
        {
            string defence = cells.Key.Defence + (cells.Key.Withheld is { } category ? $" without {category}" : "");
            rows.Add([cells.Key.Model, defence, cells.Key.Training ?? "-", Text(cells, MeasureRole.Harmfulness), Text(cells, MeasureRole.Utility)]);
        }

        TextTable.Write(writer, rows, column => column > 2);
    }

    private static string Text(IEnumerable<CellResult> cells, MeasureRole role)
    {
        if (cells.Any(cell => cell.Failure is not null)) return "not finite";
        double[] values = [.. cells.Select(cell => cell.Mean(role)).OfType<double>()];
        if (values.Length == 0) return "-";
        return values.Length == 1
            ? values[0].ToString("0.000", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{values.Average():0.000} ± {Evaluation.Statistics.Deviation(values):0.000}");
    }
}
