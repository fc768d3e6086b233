using System.Security.Cryptography;
using System.Text;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Resuming;

namespace RepNoise.Host.Experiments;

/// <summary>
/// Everything that a cell's numbers follow from, as text under names: settings, and for files and folders what they hold. Two cells
/// with equal facts have equal results, so one that is finished need not be done again.
/// </summary>
/// <param name="Facts">Sorted by name.</param>
/// <param name="Standard">Names of the facts that are as they are where nobody says anything.</param>
internal sealed record CellIdentity(SortedDictionary<string, string> Facts, IReadOnlySet<string> Standard)
{
    /// <summary>SHA-256 of the facts.</summary>
    public string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(Facts.Select(fact => $"{fact.Key}={fact.Value}\n")))));

    /// <summary>
    /// What has changed since an earlier identity, as a clause; null where nothing has. A setting that an earlier program did not have yet is no
    /// change while it is at its default; one whose default has changed since is.
    /// </summary>
    public string? ChangeFrom(IReadOnlyDictionary<string, string> earlier)
    {
        var changes = Facts.Keys.Union(earlier.Keys).Order(StringComparer.Ordinal).Where(name => Facts.GetValueOrDefault(name) != earlier.GetValueOrDefault(name))
            .Where(name => earlier.ContainsKey(name) || !Standard.Contains(name))
            .Select(name => Change(name, Facts.GetValueOrDefault(name), earlier.GetValueOrDefault(name))).ToList();
        return changes.Count == 0 ? null : string.Join("; ", changes.Take(3)) + (changes.Count > 3 ? $"; and {changes.Count - 3} more" : "");
    }

    private static string Change(string name, string? now, string? then) => FileFacts.IsHash(now) && FileFacts.IsHash(then)
        ? $"{name} holds other data"
        : $"{name} is {now ?? "not given"}, was {then ?? "not given"}";
}

/// <summary>Collects the facts of cells; every file is read once.</summary>
internal sealed class FileFacts
{
    private const string HashPrefix = "sha256:";

    /// <summary>Options that no number depends on.</summary>
    private static readonly HashSet<string> FreeOptions = ["threads", "batch_size", "judge_timeout", "output"];

    /// <summary>What of a model folder its answers depend on.</summary>
    private static readonly string[] ModelFiles = ["config.json", "tokenizer.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja", "*.safetensors"];

    private readonly Dictionary<string, string> known = new(StringComparer.Ordinal);

    public static bool IsHash(string? fact) => fact?.StartsWith(HashPrefix, StringComparison.Ordinal) == true;

    /// <summary>The identity of a cell.</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="experiment">Its experiment.</param>
    /// <param name="parent">Identity of the cell that it starts from, or null.</param>
    public CellIdentity Of(Cell cell, Experiment experiment, CellIdentity? parent)
    {
        var facts = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var standard = new HashSet<string>(StringComparer.Ordinal);
        if (parent is null) facts["model"] = OfModel(cell.Model.Path);
        else if (cell.Defence.Run is null) facts["model"] = parent.Facts["model"];
        else
        {
            foreach (var (name, value) in parent.Facts.Where(fact => IsTraining(fact.Key))) facts["parent." + name] = value;
            standard.UnionWith(parent.Standard.Select(name => "parent." + name));
        }

        if (cell.Withheld is { } category && (cell.Trained is not null)) (facts["run.withheld"], facts["run.category_field"]) = (category, experiment.CategoryField);
        if (cell.Trained is { Run: { } run }) Add(facts, standard, CellRuns.Seeded(run, cell.Seed));
        var evaluations = cell.Kind == CellKind.Task ? cell.Training!.Evaluations : experiment.Evaluations;
        foreach (var evaluation in evaluations)
        {
            foreach (var (name, value) in evaluation.Facts.Where(fact => !FreeOptions.Contains(fact.Key))) facts[$"{evaluation.Name}.{name}"] = Content(value);
        }

        foreach (var probe in experiment.Probes.Where(probe => probe.LooksInto(cell)))
        {
            foreach (var (name, value) in probe.Facts.Where(fact => !FreeOptions.Contains(fact.Key))) facts[$"{probe.Name}.{name}"] = Content(value);
        }

        facts["evaluation_seed"] = $"{cell.Seed.EvaluationSeed}";
        return new CellIdentity(facts, standard);
    }

    /// <summary>Facts that the trained model depends on, unlike those of its measuring.</summary>
    private static bool IsTraining(string name) => name == "model" || name.StartsWith("run.", StringComparison.Ordinal);

    private void Add(SortedDictionary<string, string> facts, HashSet<string> standard, TrainingRun run)
    {
        var defaults = CellRuns.Defaults(run);
        facts["run.command"] = run is DefendRun ? "defend" : run is AttackRun ? "attack" : "finetune";
        foreach (var setting in Settings.Of(run.GetType()))
        {
            bool isInput = setting.Placeholder == Values.Path.Placeholder && !setting.IsOutput;
            if (setting.Get(run) is not { Count: > 0 } values || (RunIdentity.Free.Contains(setting.Name) && !isInput)) continue;
            facts["run." + setting.Name] = isInput ? Content(values[0]) : string.Join(' ', values);
            if (values.SequenceEqual(setting.Get(defaults))) standard.Add("run." + setting.Name);
        }
    }

    /// <summary>A text; where it names a file or folder, the hash of what is there.</summary>
    private string Content(string text)
    {
        string path = text.StartsWith("onnx:", StringComparison.Ordinal) ? text["onnx:".Length..] : text;
        return File.Exists(path) ? OfFile(path) : path.Contains('/', StringComparison.Ordinal) && Directory.Exists(path) ? OfFolder(path, "*") : text;
    }

    /// <summary>A model's content; of adapters also that of the model that they stand beside.</summary>
    private string OfModel(string folder) => PeftAdapter.IsIn(folder)
        ? OfText(OfFolder(folder, PeftAdapter.ConfigName, PeftAdapter.WeightsName) + OfFolder(PeftAdapter.ModelFolderOf(folder), ModelFiles))
        : OfFolder(folder, ModelFiles);

    private string OfFolder(string folder, params string[] patterns)
    {
        var names = patterns.SelectMany(pattern => Directory.EnumerateFiles(folder, pattern)).Distinct().Order(StringComparer.Ordinal);
        string all = string.Concat(names.Select(path => $"{Path.GetFileName(path)}={OfFile(path)}\n"));
        return OfText(all);
    }

    private static string OfText(string text) => HashPrefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private string OfFile(string path)
    {
        string full = Path.GetFullPath(path);
        if (known.TryGetValue(full, out string? hash)) return hash;
        try
        {
            return known[full] = HashPrefix + FileHash.Of(full);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new InputException(path, $"it cannot be read ({problem.Message.TrimEnd('.')})", "a readable file", "check its permissions", problem);
        }
    }
}
