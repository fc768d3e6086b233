using RepNoise.Host.Commands;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Experiments;

/// <summary>Trained models that are kept once their cells are finished.</summary>
public enum KeptModels
{
    /// <summary>Of defences, which attacks start from; not of attacks and tasks.</summary>
    Defended,

    /// <summary>Every one.</summary>
    All,
}

/// <summary>A model folder under the name that results use.</summary>
internal sealed record NamedModel(string Name, string Path);

/// <summary>A defence, attack or task under its name.</summary>
/// <param name="Name">As in the file, with the values of lists that were expanded.</param>
/// <param name="Run">Its settings without model, output and seeds; null for a defence that does nothing.</param>
/// <param name="Evaluations">What measures a task; empty for defences and attacks, which the experiment's evaluations measure.</param>
internal sealed record NamedRun(string Name, TrainingRun? Run, IReadOnlyList<NamedEvaluation> Evaluations);

/// <summary>What the mean score of an evaluation's questions says.</summary>
public enum CountsAs
{
    /// <summary>Harmfulness: less is better.</summary>
    Harmfulness,

    /// <summary>A kept ability: more is better.</summary>
    Utility,
}

/// <summary>An evaluation under its name.</summary>
/// <param name="Name">As in the file.</param>
/// <param name="CountsAs">What its mean score says.</param>
/// <param name="Options">As <c>evaluate</c> takes them; model, seed and output are the cell's.</param>
/// <param name="Facts">Its settings as text, for the cell's identity.</param>
internal sealed record NamedEvaluation(string Name, CountsAs CountsAs, EvaluateOptions Options, IReadOnlyDictionary<string, string> Facts)
{
    /// <summary>The word for <c>reference_model</c> that stands for each cell's own undefended model.</summary>
    public const string Base = "base";

    /// <summary>True where answers are scored under the undefended model too.</summary>
    public bool ReferenceIsBase { get; init; }
}

/// <summary>A probe under its name.</summary>
/// <param name="Name">As in the file.</param>
/// <param name="Options">As <c>probe</c> takes them; model, seed and output are the cell's.</param>
/// <param name="Attacks">Names of the attacks after which it looks; empty for all.</param>
/// <param name="OtherIsBase">True where weights are compared with each cell's own undefended model.</param>
/// <param name="Facts">Its settings as text, for the cell's identity.</param>
internal sealed record NamedProbe(string Name, ProbeOptions Options, IReadOnlyList<string> Attacks, bool OtherIsBase, IReadOnlyDictionary<string, string> Facts)
{
    /// <summary>True where it looks into a cell's model.</summary>
    public bool LooksInto(Cell cell) => cell.Kind == CellKind.Defence || (cell.Kind == CellKind.Attack && (Attacks.Count == 0 || Attacks.Contains(cell.Training!.Name)));
}

/// <summary>The seeds of one repetition.</summary>
/// <param name="Seed">Of noise and random weights.</param>
/// <param name="DataSeed">Of the data's order.</param>
/// <param name="EvaluationSeed">Of sampled answers and of probes' splits.</param>
internal sealed record SeedSet(ulong Seed, ulong DataSeed, ulong EvaluationSeed)
{
    /// <summary>One number where all are equal.</summary>
    public string Name => Seed == DataSeed && Seed == EvaluationSeed ? $"{Seed}" : $"{Seed}-{DataSeed}-{EvaluationSeed}";
}

/// <summary>What <c>run.yaml</c> says: models x defences x attacks x seeds, and what is measured in each cell.</summary>
internal sealed record Experiment
{
    /// <summary>The file, for messages.</summary>
    public required string File { get; init; }

    public required string Title { get; init; }

    /// <summary>Folder of everything that the experiment writes.</summary>
    public required string OutputDir { get; init; }

    public required IReadOnlyList<NamedModel> Models { get; init; }

    /// <summary>A model that never learned what is harmful: it is attacked and never defended. Null for none.</summary>
    public NamedModel? Floor { get; init; }

    /// <summary>The undefended model is always the first.</summary>
    public required IReadOnlyList<NamedRun> Defences { get; init; }

    public required IReadOnlyList<NamedRun> Attacks { get; init; }

    /// <summary>Harmless fine-tunings that show whether a model can still learn.</summary>
    public required IReadOnlyList<NamedRun> Tasks { get; init; }

    public required IReadOnlyList<SeedSet> Seeds { get; init; }

    public required IReadOnlyList<NamedEvaluation> Evaluations { get; init; }

    /// <summary>Looks into defended and attacked models.</summary>
    public required IReadOnlyList<NamedProbe> Probes { get; init; }

    /// <summary>Categories of harm; for each, defences do without it and attacks have nothing else. Empty for none.</summary>
    public required IReadOnlyList<string> Withheld { get; init; }

    /// <summary>Field of a row's category, in pairs and attack data.</summary>
    public required string CategoryField { get; init; }

    public required KeptModels KeepModels { get; init; }
}
