using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Configuration;

/// <summary>What an option of the command line gave for a setting.</summary>
/// <param name="Setting">The setting.</param>
/// <param name="Option">The option as it was typed, for messages.</param>
/// <param name="Texts">Its values; several only where the option was repeated.</param>
internal sealed record GivenOption(Setting Setting, string Option, IReadOnlyList<string> Texts);

/// <summary>Puts a run together: defaults, over them the YAML file, over that the options.</summary>
internal static class RunConfiguration
{
    /// <summary>The name under which the effective configuration is saved in the output folder.</summary>
    public const string FileName = "run.yaml";

    /// <summary>Applies <paramref name="configPath"/> (where given), then <paramref name="options"/>, to <paramref name="defaults"/>.</summary>
    /// <param name="defaults">The run that nothing was said of.</param>
    /// <param name="configPath">The file, or null.</param>
    /// <param name="options">Options of the command line.</param>
    /// <param name="needsOnlyModel">True where the run is not carried out, so that only the model must be named.</param>
    /// <exception cref="ConfigurationException">The file is wrong.</exception>
    /// <exception cref="UsageException">An option is wrong, or something that a run needs is missing.</exception>
    public static TRun Read<TRun>(TRun defaults, string? configPath, IReadOnlyList<GivenOption> options, bool needsOnlyModel = false)
        where TRun : TrainingRun
    {
        TrainingRun run = defaults;
        if (configPath is not null)
        {
            foreach (var entry in FlatYaml.Read(configPath).OrderBy(entry => entry.Key != Settings.PresetName))
            {
                run = Apply(run, entry, configPath);
            }
        }

        foreach (var option in options.OrderBy(option => option.Setting.Name != Settings.PresetName))
        {
            run = Apply(run, option);
        }

        CheckComplete(run, needsOnlyModel);
        return (TRun)run;
    }

    /// <summary>
    /// The run that the file and the options describe, at its defaults: an attack where they name a preset, a fine-tuning where they set
    /// what only that has, else a defence.
    /// </summary>
    public static TrainingRun Unnamed(string? configPath, IReadOnlyList<GivenOption> options)
    {
        var names = options.Select(option => option.Setting.Name).Concat(configPath is null ? [] : FlatYaml.Read(configPath).Select(entry => entry.Key)).ToHashSet();
        if (names.Contains(Settings.PresetName)) return new AttackRun();
        return Settings.Of(typeof(FinetuneRun)).Any(setting => names.Contains(setting.Name) && !setting.AppliesTo(typeof(DefendRun)))
            ? new FinetuneRun()
            : new DefendRun();
    }

    private static TrainingRun Apply(TrainingRun run, YamlEntry entry, string path)
    {
        var setting = Settings.Of(run.GetType()).FirstOrDefault(setting => setting.Name == entry.Key);
        if (setting is null && run is IUnsavedRun && Settings.All.Any(other => other.OfSaving && other.Name == entry.Key))
        {
            return run;
        }

        setting = setting ?? throw Unknown(run.GetType(), entry, path);
        if (entry.Texts.Count == 0 && (setting.IsList || setting.Default is null))
        {
            return run;
        }

        if (entry.Texts.Count == 0 || (entry.IsSequence && !setting.IsList))
        {
            throw Wrong(setting, entry, path, entry.Texts.Count == 0 ? "empty" : "a list");
        }

        return setting.TrySet(run, entry.Texts, out var changed, out var refused) ? changed : throw Wrong(setting, entry, path, Quote(refused));
    }

    private static TrainingRun Apply(TrainingRun run, GivenOption option)
    {
        var setting = option.Setting;
        if (!setting.AppliesTo(run.GetType()))
        {
            var (expected, remedy) = AdviceOnForeign(run.GetType(), setting.Name)!.Value;
            throw new UsageException(option.Option, "does not belong here", expected, remedy);
        }

        if (option.Texts.Count > 1 && !setting.IsList)
        {
            throw new UsageException(option.Option, "given more than once", "one value", "keep the one you mean");
        }

        return setting.TrySet(run, option.Texts, out var changed, out var refused)
            ? changed
            : throw new UsageException(option.Option, $"found {Quote(refused)}", setting.Expected, "correct the value");
    }

    private static void CheckComplete(TrainingRun run, bool needsOnlyModel)
    {
        foreach (var setting in Settings.Of(run.GetType()).Where(setting => setting.Required && setting.Get(run).Count == 0 && setting.Unless?.Invoke(run) != true))
        {
            if (needsOnlyModel && setting.Name != "model")
            {
                continue;
            }

            throw new UsageException(
                setting.Name, "not given", setting.Expected,
                setting.Name == "model"
                    ? "name the model folder after the command, or write model: in the configuration"
                    : $"give {OptionHint(setting)}, or write {setting.Name}: in the configuration");
        }
    }

    private static string OptionHint(Setting setting) =>
        (setting.Aliases.Count > 0 ? "--" + setting.Aliases[0] : setting.OptionName) + " " + setting.Placeholder.ToUpperInvariant();

    private static ConfigurationException Wrong(Setting setting, YamlEntry entry, string path, string found) =>
        new(path, entry.Line, $"{setting.Name} is {found}", setting.Expected, "correct the value");

    private static ConfigurationException Unknown(Type run, YamlEntry entry, string path)
    {
        var (expected, remedy) = Advice(run, entry.Key);
        return new ConfigurationException(path, entry.Line, $"unknown key {Quoted.Plain(entry.Key)}", expected, remedy);
    }

    /// <summary>
    /// What to tell someone who used <paramref name="name"/>, a key or option that has a meaning elsewhere (in transformers, for the
    /// other command, under another name) but not for runs of this type; null where it has none.
    /// </summary>
    public static (string Expected, string Remedy)? AdviceOnForeign(Type run, string name)
    {
        var key = name.TrimStart('-').Replace('-', '_');
        if (UnsupportedSettings.Reason(key) is { } reason)
        {
            return ($"nothing in its place: {reason}", "remove it");
        }

        if (Settings.All.FirstOrDefault(setting => setting.Name == key) is { } foreign && !foreign.AppliesTo(run))
        {
            return ($"a setting of this command; {key} belongs to {CommandOf(foreign)}", "remove it");
        }

        return UnsupportedSettings.NameHere(key) is { } here && Settings.Of(run).Any(setting => setting.Name == here)
            ? ($"a known setting, the nearest is {here}", "use that name")
            : null;
    }

    private static string CommandOf(Setting setting) =>
        setting.AppliesTo(typeof(DefendRun)) ? "defend" : setting.AppliesTo(typeof(FinetuneRun)) ? "finetune" : setting.AppliesTo(typeof(AttackRun)) ? "attack" : "profile";

    private static (string Expected, string Remedy) Advice(Type run, string key)
    {
        if (AdviceOnForeign(run, key) is { } advice)
        {
            return advice;
        }

        // An option's short name is a likely guess for a key.
        var names = Settings.Of(run).SelectMany(setting => setting.Aliases.Prepend(setting.Name).Select(name => (Name: name, Setting: setting))).ToList();
        var nearest = NearestName.Of(key, names.Select(entry => entry.Name));
        return nearest is null
            ? ("a known setting", "see --help for all of them")
            : ($"a known setting, the nearest is {names.First(entry => entry.Name == nearest).Setting.Name}", "correct the name; see --help for all of them");
    }

    private static string Quote(string text) => "\"" + (text.Length > 60 ? text[..57] + "..." : text) + "\"";
}
