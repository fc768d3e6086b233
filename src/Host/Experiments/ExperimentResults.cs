using System.Globalization;
using System.Text;
using System.Text.Json;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Experiments;

/// <summary>A measure over all seeds.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Withheld">The withheld category, or null.</param>
/// <param name="Defence">Name of the defence.</param>
/// <param name="Kind">What the cells did.</param>
/// <param name="Training">Name of attack or task, or null.</param>
/// <param name="Measure">The measure; its value is the mean.</param>
/// <param name="Deviation">Standard deviation over seeds (n - 1); 0 for one seed.</param>
/// <param name="BySeed">Every seed's value.</param>
public sealed record MeasureSummary(
    string Model, string? Withheld, string Defence, CellKind Kind, string? Training, Measure Measure, double Deviation, IReadOnlyDictionary<string, double> BySeed);

/// <summary>Scores of a defended model's answers against those of the undefended one, under the same attack and seeds.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Withheld">The withheld category, or null.</param>
/// <param name="Defence">Name of the defence.</param>
/// <param name="Training">Name of the attack, or null before any.</param>
/// <param name="Seed">Name of the seeds.</param>
/// <param name="Evaluation">Name of the evaluation.</param>
/// <param name="Questions">Questions on each side.</param>
/// <param name="Test">U counts pairs in which the defended model's score is the larger.</param>
public sealed record ScoreTest(
    string Model, string? Withheld, string Defence, string? Training, string Seed, string Evaluation, int Questions, MannWhitneyResult Test);

/// <summary>An experiment's <c>results.json</c>: every cell, means over seeds, tests.</summary>
public sealed record ExperimentResults
{
    public const string JsonName = "results.json", CsvName = "results.csv";

    public required string Title { get; init; }

    /// <summary>Cells that are not done yet.</summary>
    public required int CellsLeft { get; init; }

    public required string Machine { get; init; }

    public required string Versions { get; init; }

    /// <summary>Name of the model that never learned what is harmful, or null.</summary>
    public string? Floor { get; init; }

    public required IReadOnlyList<CellResult> Cells { get; init; }

    public required IReadOnlyList<MeasureSummary> Summary { get; init; }

    public required IReadOnlyList<ScoreTest> Tests { get; init; }

    /// <summary>Puts finished cells together.</summary>
    /// <param name="experiment">Their experiment.</param>
    /// <param name="cells">In the order of the grid.</param>
    /// <param name="left">Number of cells that are not done yet.</param>
    internal static ExperimentResults Of(Experiment experiment, IReadOnlyList<CellResult> cells, int left) => new()
    {
        Title = experiment.Title,
        CellsLeft = left,
        Machine = RunEnvironment.Machine,
        Versions = $"{RunEnvironment.Versions}, commit {RunEnvironment.Commit}",
        Floor = experiment.Floor?.Name,
        Cells = [.. cells.Select(cell => cell with { Scores = new Dictionary<string, IReadOnlyList<double>>() })],
        Summary = [.. Summarize(cells)],
        Tests = [.. TestAll(cells)],
    };

    /// <summary>Writes results.json and results.csv, each at once.</summary>
    public void Write(string folder)
    {
        Durable.Replace(Path.Combine(folder, JsonName), JsonSerializer.SerializeToUtf8Bytes(this, CellFolder.Json));
        var text = new StringBuilder("model,withheld,defence,kind,training,seed,data_seed,evaluation_seed,steps,examples,learning_rate,evaluation,measure,value\n");
        foreach (var cell in Cells)
        {
            foreach (var measure in cell.Measures)
            {
                string?[] fields =
                [
                    cell.Model, cell.Withheld, cell.Defence, cell.Kind.ToString().ToLowerInvariant(), cell.Training, Number(cell.Seed), Number(cell.DataSeed), Number(cell.EvaluationSeed),
                    Number(cell.Run?.Steps), Number(cell.Run?.Examples), Number(cell.Run?.LearningRate), measure.Evaluation, measure.Name, Number(measure.Value),
                ];
                text.AppendJoin(',', fields.Select(Quoted)).Append('\n');
            }
        }

        Durable.Replace(Path.Combine(folder, CsvName), Encoding.UTF8.GetBytes(text.ToString()));
    }

    internal static string SeedName(CellResult cell) => new SeedSet(cell.Seed, cell.DataSeed, cell.EvaluationSeed).Name;

    private static IEnumerable<MeasureSummary> Summarize(IReadOnlyList<CellResult> cells) =>
        from cell in cells
        from measure in cell.Measures
        group (cell, measure) by (cell.Model, cell.Withheld, cell.Defence, cell.Kind, cell.Training, measure.Evaluation, measure.Name, measure.Role) into values
        let numbers = values.Select(value => value.measure.Value).ToArray()
        select new MeasureSummary(
            values.Key.Model, values.Key.Withheld, values.Key.Defence, values.Key.Kind, values.Key.Training,
            new Measure(values.Key.Evaluation, values.Key.Name, numbers.Average(), values.Key.Role), Statistics.Deviation(numbers),
            values.ToDictionary(value => SeedName(value.cell), value => value.measure.Value));

    private static IEnumerable<ScoreTest> TestAll(IReadOnlyList<CellResult> cells)
    {
        foreach (var cell in cells.Where(cell => cell.Defence != ExperimentReader.None && cell.Kind != CellKind.Task))
        {
            var undefended = cells.FirstOrDefault(other => other.Defence == ExperimentReader.None && other.Model == cell.Model && other.Kind == cell.Kind
                && other.Training == cell.Training && SeedName(other) == SeedName(cell) && (other.Withheld == cell.Withheld || cell.Kind == CellKind.Defence));
            if (undefended is null) continue;
            foreach (var (evaluation, scores) in cell.Scores)
            {
                if (undefended.Scores.TryGetValue(evaluation, out var others) && others.Count > 0 && scores.Count > 0)
                    yield return new ScoreTest(cell.Model, cell.Withheld, cell.Defence, cell.Training, SeedName(cell), evaluation, scores.Count, MannWhitney.Test(scores, others));
            }
        }
    }

    private static string Number(IFormattable? value) => value?.ToString(null, CultureInfo.InvariantCulture) ?? "";

    /// <summary>RFC 4180.</summary>
    private static string Quoted(string? field) =>
        field is null ? "" : field.AsSpan().IndexOfAny(",\"\n\r") < 0 ? field : "\"" + field.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
}
