namespace RepNoise.Host.Experiments;

/// <summary>What a cell of the grid does with its model before it measures.</summary>
public enum CellKind
{
    /// <summary>Defends it, or leaves it as it is.</summary>
    Defence,

    /// <summary>Attacks the defended model.</summary>
    Attack,

    /// <summary>Fine-tunes the defended model on a harmless task.</summary>
    Task,
}

/// <summary>One cell of the grid: a model is trained, where its kind says so, and measured.</summary>
/// <param name="Model">Where everything starts.</param>
/// <param name="Withheld">The category that the defence goes without and the attack has alone; null for none.</param>
/// <param name="Defence">The defence; one without a run leaves the model alone.</param>
/// <param name="Training">The attack or task; null for a cell that only defends.</param>
/// <param name="Kind">Which of them.</param>
/// <param name="Seed">Its seeds.</param>
/// <param name="Parent">The cell whose model an attack or task starts from.</param>
internal sealed record Cell(NamedModel Model, string? Withheld, NamedRun Defence, NamedRun? Training, CellKind Kind, SeedSet Seed, Cell? Parent)
{
    /// <summary>Name of its folder.</summary>
    public string Slug => string.Join("--", Parts().Select(part => string.Concat(part.Select(letter => letter is ' ' or '/' or '\\' or ':' || char.IsControl(letter) ? '_' : letter))));

    /// <summary>For people.</summary>
    public string Label => string.Join(" / ", Parts().SkipLast(1)) + $" / seed {Seed.Name}";

    /// <summary>What is trained in this cell itself, or null.</summary>
    public NamedRun? Trained => Kind == CellKind.Defence ? (Defence.Run is null ? null : Defence) : Training;

    /// <summary>All cells of an experiment. A cell stands after the one that it starts from; all of one seed before the next.</summary>
    public static IReadOnlyList<Cell> Grid(Experiment experiment)
    {
        var cells = new List<Cell>();
        string?[] withheld = experiment.Withheld.Count > 0 ? [.. experiment.Withheld] : [null];
        var models = experiment.Models.Select(model => (Model: model, experiment.Defences));
        if (experiment.Floor is { } floor) models = models.Append((floor, [experiment.Defences[0]]));
        foreach (var seed in experiment.Seeds)
        {
            foreach (var (model, defences) in models)
            {
                foreach (string? category in withheld)
                {
                    foreach (var defence in defences) cells.AddRange(Branch(experiment, model, category, defence, seed));
                }
            }
        }

        return [.. cells.DistinctBy(cell => cell.Slug)];
    }

    /// <summary>A defence with the attacks and tasks that start from it.</summary>
    private static IEnumerable<Cell> Branch(Experiment experiment, NamedModel model, string? category, NamedRun defence, SeedSet seed)
    {
        // Nothing is withheld from a model that is not defended, so its own cell serves every category.
        var root = new Cell(model, defence.Run is null ? null : category, defence, null, CellKind.Defence, seed, null);
        yield return root;
        foreach (var attack in experiment.Attacks) yield return new Cell(model, category, defence, attack, CellKind.Attack, seed, root);
        if (model == experiment.Floor) yield break;
        foreach (var task in experiment.Tasks) yield return new Cell(model, root.Withheld, defence, task, CellKind.Task, seed, root);
    }

    private IEnumerable<string> Parts()
    {
        yield return Model.Name;
        if (Withheld is not null) yield return $"without {Withheld}";
        yield return Defence.Name;
        if (Training is not null) yield return Training.Name;
        yield return Seed.Name;
    }
}
