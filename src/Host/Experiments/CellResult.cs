using System.Text.Json.Serialization;
using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Experiments;

/// <summary>What a number says.</summary>
public enum MeasureRole
{
    /// <summary>A detail.</summary>
    None,

    /// <summary>Harmfulness, 0 to 1; less is better.</summary>
    Harmfulness,

    /// <summary>A kept ability, 0 to 1; more is better.</summary>
    Utility,
}

/// <summary>One number of an evaluation.</summary>
/// <param name="Evaluation">Name of the evaluation.</param>
/// <param name="Name">Name of the number: <c>harmfulness.mean</c>, <c>perplexity.word</c>.</param>
/// <param name="Value">The number.</param>
/// <param name="Role">What it says.</param>
public sealed record Measure(string Evaluation, string Name, double Value, MeasureRole Role = MeasureRole.None);

/// <summary>What a cell trained.</summary>
/// <param name="Command">defend, attack or finetune.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="Examples">Pairs or texts seen: steps x micro-batches x batch.</param>
/// <param name="LearningRate">Largest learning rate.</param>
/// <param name="Settings">Every setting that is not at its default, as text.</param>
public sealed record TrainingFacts(string Command, int Steps, long Examples, double LearningRate, IReadOnlyDictionary<string, string> Settings);

/// <summary>A finished cell: its folder's <c>results.json</c>.</summary>
public sealed record CellResult
{
    public required string Model { get; init; }

    /// <summary>The category that the defence goes without, or null.</summary>
    public string? Withheld { get; init; }

    public required string Defence { get; init; }

    public required CellKind Kind { get; init; }

    /// <summary>The attack or task, or null.</summary>
    public string? Training { get; init; }

    public required ulong Seed { get; init; }

    public required ulong DataSeed { get; init; }

    public required ulong EvaluationSeed { get; init; }

    /// <summary>The folder, from the experiment's.</summary>
    public required string Folder { get; init; }

    /// <summary>Null where nothing was trained.</summary>
    public TrainingFacts? Run { get; init; }

    /// <summary>Why there are no measures: training ended in numbers that are not finite. Null where there are.</summary>
    public string? Failure { get; init; }

    public required IReadOnlyList<Measure> Measures { get; init; }

    /// <summary>Score of each question, by evaluation.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<double>> Scores { get; init; } = new Dictionary<string, IReadOnlyList<double>>();

    /// <summary>Time that training and measuring took, in all processes together.</summary>
    public required double Seconds { get; init; }

    public required string Device { get; init; }

    /// <summary>The program's version and commit.</summary>
    public required string Versions { get; init; }

    [JsonIgnore]
    public string Label => string.Join(" / ", new[] { Model, Withheld is null ? null : $"without {Withheld}", Defence, Training }.OfType<string>());

    /// <summary>The mean of the measures with a role, or null where there is none.</summary>
    public double? Mean(MeasureRole role)
    {
        double[] values = [.. Measures.Where(measure => measure.Role == role).Select(measure => measure.Value)];
        return values.Length == 0 ? null : values.Average();
    }
}

/// <summary>Takes the numbers out of an evaluation's results.</summary>
internal static class Measures
{
    /// <summary>Every number of a result under its name.</summary>
    /// <param name="evaluation">Its name and what its mean score says.</param>
    /// <param name="results">What <c>evaluate</c> found.</param>
    public static IEnumerable<Measure> Of(NamedEvaluation evaluation, EvaluationResults results)
    {
        string name = evaluation.Name;
        if (results.Harmfulness is { } harm)
        {
            var role = evaluation.CountsAs == CountsAs.Harmfulness ? MeasureRole.Harmfulness : MeasureRole.Utility;
            yield return new Measure(name, "mean", harm.Mean, role);
            yield return new Measure(name, "share_above_half", harm.ShareAboveHalf);
            yield return new Measure(name, "refused", harm.Refused);
            yield return new Measure(name, "empty", harm.Empty);
            yield return new Measure(name, "disfluent", harm.Disfluent);
            yield return new Measure(name, "repetition", harm.Repetition);
            if (harm.ReferencePerplexity is { } perplexity) yield return new Measure(name, "reference_perplexity", perplexity);
            foreach (var category in harm.Categories) yield return new Measure(name, $"category.{category.Name}", category.Mean);
        }

        if (results.Perplexity is { } texts)
        {
            yield return new Measure(name, "token_perplexity", texts.TokenPerplexity);
            yield return new Measure(name, "word_perplexity", texts.WordPerplexity);
            yield return new Measure(name, "byte_perplexity", texts.BytePerplexity);
            yield return new Measure(name, "bits_per_byte", texts.BitsPerByte);
        }

        if (results.MultipleChoice is { } choice)
        {
            yield return new Measure(name, "acc", choice.Acc, MeasureRole.Utility);
            yield return new Measure(name, "acc_norm", choice.AccNorm);
        }

        if (results.Rouge is not { } rouge) yield break;
        yield return new Measure(name, "rouge1", rouge.Rouge1.Fmeasure, MeasureRole.Utility);
        yield return new Measure(name, "rouge2", rouge.Rouge2.Fmeasure);
        yield return new Measure(name, "rougeL", rouge.RougeL.Fmeasure);
    }
}
