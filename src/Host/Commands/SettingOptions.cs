using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>The model folder and an option for every other setting, as the commands that train, or plan to, take them.</summary>
internal sealed class SettingOptions
{
    private readonly Argument<string> model = DocumentedCommand.ModelArgument(required: false);
    private readonly List<(Setting Setting, Option Option)> options = [];

    /// <param name="settings">Settings of the command's runs.</param>
    /// <param name="marksRequired">True where help says which settings a run needs.</param>
    /// <param name="defaults">The run whose values help shows as defaults; null takes each setting's own.</param>
    public SettingOptions(IEnumerable<Setting> settings, bool marksRequired, TrainingRun? defaults = null)
    {
        foreach (var setting in settings.Where(setting => setting.Name != "model"))
        {
            options.Add((setting, OptionFor(setting, marksRequired, defaults)));
        }
    }

    public void AddTo(Command command)
    {
        command.Arguments.Add(model);
        foreach (var (_, option) in options)
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What a line gives, the model first.</summary>
    public IReadOnlyList<GivenOption> Read(ParseResult line)
    {
        var given = new List<GivenOption>();
        if (line.GetResult(model) is { Implicit: false, Tokens: [var folder] })
        {
            given.Add(new GivenOption(Settings.All.Single(setting => setting.Name == "model"), "MODEL", [folder.Value]));
        }

        foreach (var (setting, option) in options)
        {
            if (line.GetResult(option) is { Implicit: false } result)
            {
                given.Add(new GivenOption(setting, result.IdentifierToken?.Value ?? option.Name, OptionTexts.Of(result)));
            }
        }

        return given;
    }

    private static Option OptionFor(Setting setting, bool marksRequired, TrainingRun? defaults)
    {
        var standard = defaults is null || setting.IsList ? setting.Default : setting.Get(defaults) is [var value, ..] ? value : null;
        string[] shown = [setting.OptionName, .. setting.Aliases.Select(alias => "--" + alias)];
        Option option = setting.IsFlag
            ? new FlagOption(setting.OptionName, setting.Group) { Default = standard, ShownNames = shown }
            : new TextOption(setting.OptionName, setting.Group, setting.Placeholder) { Default = standard, ShownNames = shown };
        option.Description = setting.Help + (marksRequired && setting.Required ? " Required." : "");
        foreach (var name in shown.SelectMany(name => new[] { name, ValueOption<bool>.SnakeCase(name) }).Distinct().Skip(1))
        {
            option.Aliases.Add(name);
        }

        return option;
    }
}
