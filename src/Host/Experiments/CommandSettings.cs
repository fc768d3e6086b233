using System.CommandLine;
using RepNoise.Host.Commands;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Experiments;

/// <summary>
/// Reads a mapping as the options of a command: <c>judge: slots</c> means what <c>--judge slots</c> means, checked by the same code, so
/// whatever the command learns the file knows.
/// </summary>
internal static class CommandSettings
{
    /// <summary>The command's options as a run of it would get them.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="map">The mapping; keys are options in snake_case.</param>
    /// <param name="shared">Members that hold for all commands; those that this one lacks are passed over.</param>
    /// <param name="foreign">Keys that are said elsewhere, with the place.</param>
    /// <param name="build">Builds the command around a handler.</param>
    /// <param name="used">The shared members that this command has and the mapping does not overrule.</param>
    /// <exception cref="ConfigurationException">A key is unknown or a value wrong; names file, line and key.</exception>
    public static T Read<T>(
        string path, YamlMap map, IEnumerable<YamlMember> shared, IReadOnlyDictionary<string, string> foreign,
        Func<Func<T, Terminal, CancellationToken, int>, Command> build, out IReadOnlyList<YamlMember> used)
        where T : class
    {
        T? received = null;
        var command = build((options, _, _) =>
        {
            received = options;
            return ExitCodes.Done;
        });
        var words = new List<string> { "model" };
        used = [.. shared.Where(member => map.Find(member.Key) is null && Find(command, member.Key) is not null)];
        foreach (var member in used) Add(words, path, command, member);
        foreach (var member in map.Members)
        {
            if (foreign.TryGetValue(member.Key, out string? place))
                throw new ConfigurationException(path, member.Line, $"{member.Key} does not belong here", place, "remove it");
            if (Find(command, member.Key) is null) throw Unknown(path, command, member);
            Add(words, path, command, member);
        }

        try
        {
            var root = new RootCommand { command };
            root.Parse([command.Name, .. words]).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (UsageException wrong)
        {
            var member = map.Members.FirstOrDefault(member => OptionName(member.Key) == wrong.Place);
            throw new ConfigurationException(
                path, member?.Line ?? map.Line, $"{member?.Key ?? wrong.Place}: {wrong.Problem}", wrong.Expected.Replace("--", "", StringComparison.Ordinal),
                wrong.Remedy, wrong);
        }

        return received ?? throw new ConfigurationException(
            path, map.Line, $"these settings of {command.Name} cannot be read", $"the options of repnoise {command.Name}", $"see repnoise {command.Name} --help");
    }

    /// <summary>Key and value of each member, values of lists joined.</summary>
    public static IReadOnlyDictionary<string, string> Facts(IEnumerable<YamlMember> members) => members.ToDictionary(
        member => member.Key, member => member.Value is YamlList list ? string.Join(',', list.Items.Select(Text)) : Text(member.Value));

    private static string Text(YamlValue value) => (value as YamlScalar)?.Text ?? "";

    private static Option? Find(Command command, string key) => command.Options.FirstOrDefault(option => option.Name == OptionName(key));

    private static string OptionName(string key) => "--" + key.Replace('_', '-');

    private static void Add(List<string> words, string path, Command command, YamlMember member)
    {
        var option = Find(command, member.Key)!;
        foreach (var value in member.Value is YamlList list ? list.Items : [member.Value])
        {
            if (value is not YamlScalar scalar)
                throw new ConfigurationException(path, value.Line, $"{member.Key} holds nested keys", "one value, or a list of values", "write the value behind the key");
            if (scalar.Text is not { } text) continue;
            if ((option as IDocumentedOption)?.Placeholder == Values.Path.Placeholder && !Path.Exists(text))
                throw new ConfigurationException(path, member.Line, $"{member.Key} is {text}, which does not exist", "an existing path", "check the path; it is seen from the folder that the command runs in");
            words.Add($"{option.Name}={text}");
        }
    }

    private static ConfigurationException Unknown(string path, Command command, YamlMember member)
    {
        var known = command.Options.Where(option => option is IDocumentedOption).Select(option => option.Name[2..].Replace('-', '_')).ToList();
        return new ConfigurationException(
            path, member.Line, $"unknown key {member.Key}",
            NearestName.Of(member.Key, known) is { } nearest ? $"an option of {command.Name}, the nearest is {nearest}" : $"one of {string.Join(", ", known)}",
            $"correct the name; see repnoise {command.Name} --help");
    }
}
