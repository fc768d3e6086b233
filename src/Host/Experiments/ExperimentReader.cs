using System.Globalization;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Commands;
using RepNoise.Host.Commands.Handlers;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Experiments;

/// <summary>Reads an experiment's file. Everything that can be told without opening a model is told here, with file, line and key.</summary>
internal sealed class ExperimentReader
{
    /// <summary>The defence that does nothing.</summary>
    public const string None = "none";

    /// <summary>The name under which results show <see cref="Experiment.Floor"/>.</summary>
    public const string FloorName = "never learned";

    private static readonly string[] Keys =
    [
        "title", "output_dir", "models", "floor", "settings", "defences", "attacks", "tasks", "seeds", "evaluations", "probes", "withheld", "category_field", "keep_models",
    ];

    private static readonly Dictionary<string, string> ForeignToEvaluations = new(StringComparer.Ordinal)
    {
        ["output"] = "nothing in its place: results are kept in the cell's folder",
        ["seed"] = "evaluation_seed under seeds",
    };

    private readonly string path;
    private readonly YamlMap root;
    private readonly RunReader runs;
    private readonly IReadOnlyList<YamlMember> shared;

    private ExperimentReader(string path)
    {
        this.path = path;
        root = YamlTree.Read(path);
        foreach (var member in root.Members.Where(member => !Keys.Contains(member.Key)))
        {
            throw new ConfigurationException(path, member.Line, $"unknown key {member.Key}",
                NearestName.Of(member.Key, Keys) is { } nearest ? $"a key of an experiment, the nearest is {nearest}" : $"one of {string.Join(", ", Keys)}",
                "correct the name; see docs/experiment.md");
        }

        shared = Map("settings")?.Members ?? [];
        runs = new RunReader(path, shared);
    }

    /// <summary>The experiment that a file describes.</summary>
    /// <exception cref="ConfigurationException">It is malformed, or names what is not there.</exception>
    public static Experiment Read(string path) => new ExperimentReader(path).Experiment();

    private Experiment Experiment()
    {
        var models = Models();
        var defences = Runs("defences", entries => runs.Expand<DefendRun>(entries, new DefendRun()));
        var attacks = Runs("attacks", entries => runs.Expand<AttackRun>(entries, new AttackRun()));
        var tasks = Tasks();
        var evaluations = Evaluations(Map("evaluations"));
        if (evaluations.Count == 0 && tasks.Count == 0)
            throw new ConfigurationException(path, 0, "evaluations is missing", "a name with settings of evaluate", "say what to measure: see docs/experiment.md");
        var experiment = new Experiment
        {
            File = path,
            Title = Text("title") ?? Path.GetFileNameWithoutExtension(path),
            OutputDir = Text("output_dir") ?? throw Missing("output_dir", "a folder for all that the experiment writes"),
            Models = models,
            Floor = Text("floor") is { } floor ? new NamedModel(FloorName, ModelAt(floor, root.Find("floor")!.Line, "floor")) : null,
            Defences = [new NamedRun(None, null, []), .. defences.Where(defence => defence.Run is not null)],
            Attacks = attacks,
            Tasks = tasks,
            Seeds = Seeds(),
            Evaluations = evaluations,
            Probes = [.. (Map("probes")?.Members ?? []).Select(member => Probe(member, attacks))],
            Withheld = Withheld(),
            CategoryField = Text("category_field") ?? "category",
            KeepModels = Kept(),
        };
        CheckNames(attacks.Concat(tasks).Select(run => run.Name));
        return experiment;
    }

    private List<NamedModel> Models()
    {
        var members = Map("models")?.Members ?? throw Missing("models", "a name for each model folder");
        var models = members.Select(member => new NamedModel(
            Name(member), ModelAt((member.Value as YamlScalar)?.Text ?? throw Wrong(member, "no folder", "a model folder"), member.Line, member.Key))).ToList();
        CheckNames(models.Select(model => model.Name).Append(FloorName));
        return models.Count > 0 ? models : throw Missing("models", "a name for each model folder");
    }

    private string ModelAt(string folder, long line, string key) => File.Exists(Path.Combine(PeftAdapter.ModelFolderOf(folder), ModelFolder.ConfigName))
        ? folder
        : throw new ConfigurationException(path, line, $"{key} is {folder}, which holds no config.json", "a model folder, or one of adapters", "check the path; it is seen from the folder that the command runs in");

    private List<NamedRun> Runs(string key, Func<YamlMap, IReadOnlyList<(string Suffix, TrainingRun Run)>> read)
    {
        if (Map(key) is not { } map) return [];
        var named = new List<NamedRun>();
        foreach (var member in map.Members)
        {
            string name = Name(member);
            named.AddRange(name == None ? [new NamedRun(None, null, [])] : read(MapOf(member)).Select(run => new NamedRun(name + run.Suffix, run.Run, [])));
        }

        CheckNames(named.Select(run => run.Name));
        return [.. named.Where(run => run.Run is not null)];
    }

    private List<NamedRun> Tasks() => [.. (Map("tasks")?.Members ?? []).Select(member =>
    {
        var map = MapOf(member);
        var evaluation = map.Find("evaluation") ?? throw new ConfigurationException(
            path, member.Line, $"{member.Key} has no evaluation", "evaluation with settings of evaluate", "say what the task is measured by");
        var settings = map with { Members = [.. map.Members.Where(other => other.Key != "evaluation")] };
        var run = runs.Expand<FinetuneRun>(settings, new FinetuneRun { Arguments = new() { CompletionOnlyLoss = true } });
        if (run.Count > 1) throw new ConfigurationException(path, member.Line, $"{member.Key} holds a list", "one value a setting: tasks are not expanded", "write a task for each value");
        return new NamedRun(Name(member), run[0].Run, [Evaluation(evaluation with { Key = "task" }, CountsAs.Utility)]);
    })];

    private List<NamedEvaluation> Evaluations(YamlMap? map) => [.. (map?.Members ?? []).Select(member => Evaluation(member, CountsAs.Harmfulness))];

    private NamedEvaluation Evaluation(YamlMember member, CountsAs standard)
    {
        var map = MapOf(member);
        var counts = map.Find("counts_as");
        bool referenceIsBase = map.Find("reference_model")?.Value is YamlScalar { Text: NamedEvaluation.Base };
        var rest = map with { Members = [.. map.Members.Where(other => other.Key != "counts_as" && !(referenceIsBase && other.Key == "reference_model"))] };
        var kind = Values.Choice<CountsAs>();
        if (counts is not null && !kind.TryParse((counts.Value as YamlScalar)?.Text ?? "", out standard)) throw Wrong(counts, Shown(counts), kind.Expected);
        var options = CommandSettings.Read<EvaluateOptions>(
            path, rest, shared, ForeignToEvaluations,
            handler => EvaluateCommand.Build(handler, (_, _, _) => ExitCodes.Failed, new Terminal(TextReader.Null, TextWriter.Null, TextWriter.Null), default), out var used);
        return new NamedEvaluation(Name(member), standard, options, CommandSettings.Facts(map.Members.Concat(used))) { ReferenceIsBase = referenceIsBase };
    }

    private NamedProbe Probe(YamlMember member, List<NamedRun> attacks)
    {
        var map = MapOf(member);
        var after = map.Find("attacks");
        var items = after?.Value is YamlList list ? list.Items : after is null ? [] : [after.Value];
        string[] names = [.. items.Select(item => (item as YamlScalar)?.Text ?? throw Wrong(after!, "no list of names", "names of attacks"))];
        foreach (string name in names.Where(name => attacks.All(attack => attack.Name != name)))
            throw Wrong(after!, $"\"{name}\"", "names of attacks: " + string.Join(", ", attacks.Select(attack => attack.Name)));
        bool otherIsBase = map.Find("other")?.Value is YamlScalar { Text: NamedEvaluation.Base };
        var rest = map with { Members = [.. map.Members.Where(other => other.Key != "attacks" && !(otherIsBase && other.Key == "other"))] };
        var options = CommandSettings.Read<ProbeOptions>(path, rest, shared, ForeignToEvaluations, handler => ProbeCommand.Build(handler, new Terminal(TextReader.Null, TextWriter.Null, TextWriter.Null), default), out var used);
        return new NamedProbe(Name(member), options, names, otherIsBase, CommandSettings.Facts(map.Members.Where(other => other.Key != "attacks").Concat(used)));
    }

    private List<SeedSet> Seeds()
    {
        if (root.Find("seeds") is not { } member) return [new SeedSet(42, 42, 42)];
        var items = member.Value is YamlList list ? list.Items : [member.Value];
        var seeds = items.Select(item => item is YamlMap map ? SeedsOf(map) : All(Seed((item as YamlScalar)?.Text, item.Line, "seeds"))).ToList();
        if (seeds.Count == 0) throw Wrong(member, "empty", "at least one seed");
        return seeds.Distinct().Count() == seeds.Count ? seeds : throw Wrong(member, "a list that names seeds twice", "each set of seeds once");

        static SeedSet All(ulong seed) => new(seed, seed, seed);
    }

    private SeedSet SeedsOf(YamlMap map)
    {
        foreach (var member in map.Members.Where(member => member.Key is not ("seed" or "data_seed" or "evaluation_seed")))
            throw new ConfigurationException(path, member.Line, $"unknown key {member.Key}", "seed, data_seed or evaluation_seed", "correct the name");
        ulong Of(string key, ulong standard) => map.Find(key) is { } member ? Seed((member.Value as YamlScalar)?.Text, member.Line, key) : standard;
        ulong seed = Of("seed", 42);
        return new SeedSet(seed, Of("data_seed", seed), Of("evaluation_seed", seed));
    }

    private ulong Seed(string? text, long line, string key) => Values.Seed.TryParse(text ?? "", out ulong seed)
        ? seed
        : throw new ConfigurationException(path, line, $"{key} is \"{text}\"", Values.Seed.Expected, "correct the value");

    private List<string> Withheld()
    {
        if (root.Find("withheld") is not { } member) return [];
        var items = member.Value is YamlList list ? list.Items : [member.Value];
        return [.. items.Select(item => (item as YamlScalar)?.Text ?? throw Wrong(member, "no list of names", "a category, or a list of them")).Distinct()];
    }

    private KeptModels Kept()
    {
        if (root.Find("keep_models") is not { } member) return KeptModels.Defended;
        var kind = Values.Choice<KeptModels>();
        return kind.TryParse((member.Value as YamlScalar)?.Text ?? "", out var kept) ? kept : throw Wrong(member, Shown(member), kind.Expected);
    }

    /// <summary>Names become folders and parts of file names.</summary>
    private string Name(YamlMember member) => member.Key.Length is > 0 and <= 60 && !member.Key.StartsWith('.') && !member.Key.Contains("--", StringComparison.Ordinal)
        && member.Key.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is ' ' or '.' or '_' or '+' or '-')
            ? member.Key
            : throw new ConfigurationException(path, member.Line, $"\"{member.Key}\" cannot be a name", "up to 60 letters, digits, blanks and . _ + - (but not --)", "choose another name");

    private void CheckNames(IEnumerable<string> named)
    {
        if (named.GroupBy(name => name.Replace(' ', '_'), StringComparer.OrdinalIgnoreCase).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ConfigurationException(path, 0, $"{twice.Key} names {twice.Count()} cells of the grid", "a name of its own for each", "rename one");
    }

    private string? Text(string key) => root.Find(key) is not { } member
        ? null
        : member.Value is YamlScalar { Text: { Length: > 0 } text } ? text : throw Wrong(member, Shown(member), "one text");

    private YamlMap? Map(string key) => root.Find(key) is { Value: not YamlScalar { Text: null } } member ? MapOf(member) : null;

    private YamlMap MapOf(YamlMember member) => member.Value switch
    {
        YamlMap map => map,
        YamlScalar { Text: null } => new YamlMap([], member.Line),
        _ => throw Wrong(member, Shown(member), "keys of its own, indented below it"),
    };

    private static string Shown(YamlMember member) => member.Value switch
    {
        YamlScalar scalar => string.Create(CultureInfo.InvariantCulture, $"\"{scalar.Text}\""),
        YamlList => "a list",
        _ => "a mapping",
    };

    private ConfigurationException Wrong(YamlMember member, string found, string expected) =>
        new(path, member.Line, $"{member.Key} is {found}", expected, "correct the value");

    private ConfigurationException Missing(string key, string expected) => new(path, 0, $"{key} is missing", expected, "add it: see docs/experiment.md");
}
