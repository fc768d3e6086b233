using RepNoise.Host.Commands.Handlers;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Experiments;

/// <summary>Reads the settings of a defence, attack or task: those of its command, under the same keys. A list where the setting takes one
/// value makes one run for each value.</summary>
/// <param name="path">The file, for messages.</param>
/// <param name="shared">Settings for all runs; those that a run lacks are passed over.</param>
internal sealed class RunReader(string path, IReadOnlyList<YamlMember> shared)
{
    private static readonly Dictionary<string, string> Foreign = new(StringComparer.Ordinal)
    {
        ["model"] = "models, at the top",
        ["output_dir"] = "output_dir, at the top",
        ["overwrite_output_dir"] = "nothing in its place: finished cells are reused, changed ones redone",
        ["adapter_dir"] = "nothing in its place: cells keep merged models",
        ["resume_from_checkpoint"] = "nothing in its place: an interrupted cell goes on from its checkpoint",
        ["resume_despite_changes"] = "nothing in its place: a changed cell is redone",
        ["seed"] = "seeds, at the top",
        ["data_seed"] = "data_seed under seeds, at the top",
    };

    /// <summary>The runs that a mapping describes, each with what its name adds.</summary>
    /// <exception cref="ConfigurationException">A key is unknown or foreign, a value wrong, a path not there.</exception>
    public IReadOnlyList<(string Suffix, TrainingRun Run)> Expand<TRun>(YamlMap map, TRun defaults)
        where TRun : TrainingRun
    {
        var settings = Settings.Of(typeof(TRun)).ToDictionary(setting => setting.Name);
        foreach (var member in map.Members.Concat(shared).Where(member => Foreign.ContainsKey(member.Key)))
            throw new ConfigurationException(path, member.Line, $"{member.Key} does not belong here", Foreign[member.Key], "remove it");
        foreach (var member in shared.Where(member => Settings.All.All(setting => setting.Name != member.Key)))
            throw new ConfigurationException(path, member.Line, $"unknown key {member.Key}", "a setting of defend, attack or finetune", "correct the name");
        var members = shared.Where(member => settings.ContainsKey(member.Key) && map.Find(member.Key) is null).Concat(map.Members)
            .OrderBy(member => member.Key != Settings.PresetName).ToList();
        List<(string Suffix, TrainingRun Run)> runs = [("", defaults)];
        foreach (var member in members)
        {
            bool expands = member.Value is YamlList && settings.TryGetValue(member.Key, out var setting) && !setting.IsList;
            runs = [.. runs.SelectMany(run => Entries(member, expands).Select(entry => (
                expands ? $"{run.Suffix} {Short(member.Key)}={entry.Texts[0]}" : run.Suffix, RunConfiguration.Apply(run.Run, entry, path))))];
        }

        foreach (var (_, run) in runs) Check(run, map, members);
        return runs;
    }

    /// <summary>The word that stands for a setting in names.</summary>
    private static string Short(string key) => key switch
    {
        "learning_rate" => "lr",
        "max_train_samples" => "n",
        "max_steps" => "steps",
        "num_train_epochs" => "epochs",
        _ => key.StartsWith("repnoise_", StringComparison.Ordinal) ? key["repnoise_".Length..] : key,
    };

    private IEnumerable<YamlEntry> Entries(YamlMember member, bool expands)
    {
        string[] texts = member.Value switch
        {
            YamlScalar { Text: null } => [],
            YamlScalar scalar => [scalar.Text!],
            YamlList list => [.. list.Items.Select(item => (item as YamlScalar)?.Text ?? throw Nested(member))],
            _ => throw Nested(member),
        };
        if (!expands) return [new YamlEntry(member.Key, texts, member.Value is YamlList, member.Line)];
        return texts.Length > 0
            ? texts.Select(text => new YamlEntry(member.Key, [text], false, member.Line))
            : throw new ConfigurationException(path, member.Line, $"{member.Key} is an empty list", "at least one value", "write a value");
    }

    private ConfigurationException Nested(YamlMember member) =>
        new(path, member.Line, $"{member.Key} holds nested keys", "one value, or a list of values", "write the value behind the key");

    private void Check(TrainingRun run, YamlMap map, List<YamlMember> members)
    {
        foreach (var setting in Settings.Of(run.GetType()).Where(setting => !setting.IsOutput && setting.Name != "model"))
        {
            var values = setting.Get(run);
            if (setting.Required && values.Count == 0 && setting.Unless?.Invoke(run) != true)
                throw new ConfigurationException(path, map.Line, $"{setting.Name} is missing", setting.Expected, $"write {setting.Name}: {setting.Placeholder}");
            if (setting.Placeholder == Values.Path.Placeholder && values is [var named] && !File.Exists(named))
                throw new ConfigurationException(
                    path, members.Last(member => member.Key == setting.Name).Line, $"{setting.Name} is {named}, which does not exist", "an existing file",
                    "check the path; it is seen from the folder that the command runs in");
        }

        try
        {
            TrainingData.Check(run);
        }
        catch (InputException wrong)
        {
            var member = members.LastOrDefault(member => member.Key == wrong.Place);
            throw new ConfigurationException(path, member?.Line ?? map.Line, $"{wrong.Place}: {wrong.Problem}", wrong.Expected, wrong.Remedy, wrong);
        }
    }
}
