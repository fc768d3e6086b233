using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Kernels;

namespace RepNoise.Host.Resuming;

/// <summary>A file that a run reads.</summary>
/// <param name="Path">As the run names it.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Its hash.</param>
internal sealed record RunInput(string Path, long Bytes, string Sha256);

/// <summary>
/// <c>training_args.json</c>: everything that a run's numbers follow from, so that a checkpoint is continued by the same run and no
/// other. Files count by what they hold, not by where they lie.
/// </summary>
/// <param name="Command"><c>defend</c> or <c>finetune</c>.</param>
/// <param name="Settings">Every setting under its name, with its values as text.</param>
/// <param name="Inputs">Data files under their setting's name; of a model folder, <c>config.json</c> and <c>tokenizer.json</c>.</param>
/// <param name="Kernels">The variant of every kernel family on the run's device.</param>
internal sealed record RunIdentity(
    string Command, IReadOnlyDictionary<string, IReadOnlyList<string>> Settings, IReadOnlyDictionary<string, RunInput> Inputs,
    IReadOnlyDictionary<string, string> Kernels)
{
    /// <summary>Settings that no number of the training depends on, and paths, of which the contents are compared.</summary>
    internal static readonly HashSet<string> Free =
    [
        "model", "pairs", "retain", "data", "from_scratch", "output_dir", "overwrite_output_dir", "adapter_dir", "threads", "cuda_graphs", "save_dtype", "save_steps", "save_total_limit",
        "resume_from_checkpoint", "resume_despite_changes", "dump_tensors", "dump_steps", "dump_parts",
    ];

    private static readonly string[] ModelFiles = ["config.json", "tokenizer.json", "adapter_config.json", "adapter_model.safetensors"];

    /// <summary>The identity of a run on a device; reads every input file once.</summary>
    public static RunIdentity Of(TrainingRun run, Device device)
    {
        var settings = Configuration.Settings.Of(run.GetType()).ToList();
        var inputs = new SortedDictionary<string, RunInput>(StringComparer.Ordinal);
        foreach (var setting in settings.Where(setting => setting.Placeholder == Values.Path.Placeholder && !setting.IsOutput))
        {
            if (setting.Get(run) is not [var path]) continue;
            if (File.Exists(path)) inputs[setting.Name] = Input(path);
            foreach (string folder in (string[])[path, PeftAdapter.ModelFolderOf(path)])
            {
                foreach (string name in ModelFiles.Where(name => File.Exists(Path.Combine(folder, name)))) inputs[name] = Input(Path.Combine(folder, name));
            }

            if (run.Training.Trained.Lora is null || !Directory.Exists(path)) continue;

            // A checkpoint of adapters does not hold the weights that they stand beside.
            foreach (string file in Directory.EnumerateFiles(PeftAdapter.ModelFolderOf(path), "model*.safetensors")) inputs[Path.GetFileName(file)] = Input(file);
        }

        return new RunIdentity(
            run is DefendRun ? "defend" : "finetune", settings.ToDictionary(setting => setting.Name, setting => setting.Get(run)), inputs,
            new SortedDictionary<string, string>(device.Kernels.ToDictionary(), StringComparer.Ordinal));
    }

    /// <summary>What differs from a run that may go on from the same checkpoint, each as a clause; none where nothing does.</summary>
    public IReadOnlyList<string> DifferencesFrom(RunIdentity earlier)
    {
        if (Command != earlier.Command) return [$"the command is {Command}, was {earlier.Command}"];
        var differences = new List<string>();
        foreach (string name in Union(Settings, earlier.Settings).Where(name => !Free.Contains(name)))
        {
            var (now, then) = (Settings.GetValueOrDefault(name, []), earlier.Settings.GetValueOrDefault(name, []));
            if (!now.SequenceEqual(then)) differences.Add($"{name} is {Text(now)}, was {Text(then)}");
        }

        foreach (string name in Union(Inputs, earlier.Inputs))
        {
            var (now, then) = (Inputs.GetValueOrDefault(name), earlier.Inputs.GetValueOrDefault(name));
            if (now is null || then is null) differences.Add($"{name} is {now?.Path ?? "not given"}, was {then?.Path ?? "not given"}");
            else if (now.Sha256 != then.Sha256) differences.Add($"{name} holds other data ({Text(now)}, was {Text(then)})");
        }

        foreach (string name in Union(Kernels, earlier.Kernels))
        {
            var (now, then) = (Kernels.GetValueOrDefault(name, "none"), earlier.Kernels.GetValueOrDefault(name, "none"));
            if (now != then) differences.Add($"kernel {name} is {now}, was {then}");
        }

        return differences;
    }

    private static IEnumerable<string> Union<T>(IReadOnlyDictionary<string, T> a, IReadOnlyDictionary<string, T> b) =>
        a.Keys.Union(b.Keys).Order(StringComparer.Ordinal);

    private static RunInput Input(string path) => new(path, new FileInfo(path).Length, FileHash.Of(path));

    private static string Text(IReadOnlyList<string> values) => values.Count == 0 ? "not given" : string.Join(' ', values);

    private static string Text(RunInput input) => $"{input.Path}: {input.Bytes} bytes, SHA-256 {input.Sha256[..Math.Min(12, input.Sha256.Length)]}...";
}
