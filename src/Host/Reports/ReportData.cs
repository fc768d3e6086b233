using System.Globalization;
using System.Text.Json;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Evaluation.Probing;
using RepNoise.Host.Experiments;
using RepNoise.Host.Progress;

namespace RepNoise.Host.Reports;

/// <summary>Cells that differ in their seeds alone.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Withheld">The withheld category, or null.</param>
/// <param name="Defence">Name of the defence.</param>
/// <param name="Kind">What the cells did.</param>
/// <param name="Training">Name of attack or task, or null.</param>
/// <param name="Cells">One for each seed.</param>
internal sealed record ReportRow(string Model, string? Withheld, string Defence, CellKind Kind, string? Training, IReadOnlyList<CellResult> Cells)
{
    /// <summary>The attack or task, or what stands for none.</summary>
    public string Stage => Training ?? "before any attack";

    public bool Failed => Cells.Any(cell => cell.Failure is not null);

    public (double Mean, double Deviation)? Harm => Over(MeasureRole.Harmfulness);

    public (double Mean, double Deviation)? Utility => Over(MeasureRole.Utility);

    /// <summary>Every seed's value.</summary>
    public string BySeed(MeasureRole role) => string.Join(", ", Cells.Select(cell => cell.Mean(role)).OfType<double>().Select(value => value.ToString("0.00", CultureInfo.InvariantCulture)));

    /// <summary>Mean of a detail over cells and their evaluations of harmfulness, or null.</summary>
    public double? Detail(string name)
    {
        double[] values =
        [
            .. Cells.SelectMany(cell => cell.Measures.Where(measure => measure.Name == name
                && cell.Measures.Any(other => other.Evaluation == measure.Evaluation && other.Role == MeasureRole.Harmfulness))).Select(measure => measure.Value),
        ];
        return values.Length == 0 ? null : values.Average();
    }

    private (double Mean, double Deviation)? Over(MeasureRole role)
    {
        double[] values = [.. Cells.Select(cell => cell.Mean(role)).OfType<double>()];
        return values.Length == 0 ? null : (values.Average(), Statistics.Deviation(values));
    }
}

/// <summary>An experiment's folder as a report reads it.</summary>
internal sealed class ReportData
{
    /// <summary>A model that keeps less than this share of the undefended model's utility counts as collapsed.</summary>
    public const double CollapsedShare = 0.5;

    /// <summary>So does one with at least this share of broken answers, and utility lost beside them.</summary>
    public const double BrokenShare = 0.5;

    private readonly Dictionary<ReportRow, IReadOnlyList<ProbeResults>> probes = [];

    private ReportData(string folder)
    {
        Folder = folder;
        string path = Path.Combine(folder, ExperimentResults.JsonName);
        if (!File.Exists(path))
            throw new InputException(folder, $"it holds no {ExperimentResults.JsonName}", "the output folder of an experiment", "run repnoise experiment first, or check the path");
        Results = CellFolder.Read<ExperimentResults>(path);
        string configuration = Path.Combine(folder, ExperimentRunner.ConfigurationName);
        Configuration = File.Exists(configuration) ? File.ReadAllText(configuration) : null;
        Rows = [.. Results.Cells.GroupBy(cell => (cell.Model, cell.Withheld, cell.Defence, cell.Kind, cell.Training))
            .Select(group => new ReportRow(group.Key.Model, group.Key.Withheld, group.Key.Defence, group.Key.Kind, group.Key.Training, [.. group]))];
        if (Rows.Count == 0) throw new InputException(path, "no cell is finished", "at least one", "let repnoise experiment finish a cell");
    }

    public string Folder { get; }

    public ExperimentResults Results { get; }

    /// <summary>The experiment's file, or null.</summary>
    public string? Configuration { get; }

    public IReadOnlyList<ReportRow> Rows { get; }

    /// <summary>Rows of the models that are defended, by model and withheld category.</summary>
    public IEnumerable<(string Title, IReadOnlyList<ReportRow> Rows)> Groups
    {
        get
        {
            foreach (string model in Models)
            {
                var own = Rows.Where(row => row.Model == model).ToList();
                string?[] withheld = [.. own.Select(row => row.Withheld).Distinct()];
                foreach (string? category in withheld.Length > 1 ? withheld.Where(name => name is not null) : withheld)
                    yield return (model + (category is null ? "" : $": {category} withheld"), [.. own.Where(row => row.Withheld == category || (row.Withheld is null && row.Kind == CellKind.Defence))]);
            }
        }
    }

    /// <summary>The models but the floor.</summary>
    public IEnumerable<string> Models => Rows.Select(row => row.Model).Distinct().Where(model => model != Results.Floor);

    /// <summary>Reads a folder.</summary>
    /// <exception cref="InputException">It holds no experiment, or a file is damaged.</exception>
    public static ReportData Load(string folder) => new(folder);

    /// <summary>What a model that never learned reaches at the same stage, or null.</summary>
    public double? Floor(ReportRow row) =>
        Rows.FirstOrDefault(other => other.Model == Results.Floor && other.Training == row.Training && other.Withheld == row.Withheld)?.Harm?.Mean;

    /// <summary>Why a bar says nothing of resistance: the model is broken. Null where it works, or where nothing tells.</summary>
    public string? Note(ReportRow row)
    {
        if (row.Failed) return "not finite";
        double? undefended = Rows.FirstOrDefault(other => other.Model == row.Model && other.Defence == ExperimentReader.None && other.Training is null)?.Utility?.Mean;
        if (row.Utility is { } utility && undefended is > 0) return utility.Mean < CollapsedShare * undefended ? "collapsed" : null;
        return row.Detail("disfluent") + row.Detail("empty") >= BrokenShare ? "broken answers" : null;
    }

    /// <summary>Every probe of a row's cells.</summary>
    public IReadOnlyList<ProbeResults> Probes(ReportRow row)
    {
        if (probes.TryGetValue(row, out var known)) return known;
        return probes[row] =
        [
            .. row.Cells.Select(cell => Path.Combine(Folder, cell.Folder)).Where(Directory.Exists)
                .SelectMany(folder => Directory.EnumerateFiles(folder, CellFolder.ProbePrefix + "*.json").Order(StringComparer.Ordinal)).Select(CellFolder.Read<ProbeResults>),
        ];
    }

    /// <summary>Steps of a cell's training, or null where it trained nothing.</summary>
    public MetricsReader? Metrics(CellResult cell)
    {
        string path = Path.Combine(Folder, cell.Folder, MetricsWriter.FileName);
        return File.Exists(path) ? new MetricsReader(path) : null;
    }

    /// <summary>The answers of a cell by evaluation.</summary>
    public IEnumerable<(string Evaluation, IReadOnlyList<AnswerRecord> Answers)> Answers(CellResult cell)
    {
        string folder = Path.Combine(Folder, cell.Folder);
        if (!Directory.Exists(folder)) yield break;
        foreach (string path in Directory.EnumerateFiles(folder, CellFolder.GenerationsPrefix + "*.jsonl").Order(StringComparer.Ordinal))
        {
            List<AnswerRecord> answers;
            try
            {
                answers = [.. File.ReadLines(path).Select(line => JsonSerializer.Deserialize<AnswerRecord>(line, EvaluationResults.JsonLine)!)];
            }
            catch (JsonException problem)
            {
                throw new InputException(path, "it is not JSON lines of answers", "the file as an experiment wrote it", "remove its folder and run the experiment again", problem);
            }

            yield return (Path.GetFileNameWithoutExtension(path)[CellFolder.GenerationsPrefix.Length..], answers);
        }
    }
}
