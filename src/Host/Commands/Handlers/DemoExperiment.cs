using System.Globalization;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>The demo's experiment for one run: its file with the paths, seeds, threads and sizes of that run, so that what is written tells the whole truth.</summary>
/// <param name="options">Of the demo.</param>
/// <param name="pathOf">Where a file of examples/potions lies.</param>
internal sealed class DemoExperiment(DemoOptions options, Func<string, string> pathOf)
{
    /// <summary>How the file names its data, seen from the repository's root.</summary>
    private const string DataFolder = "examples/potions/";

    /// <summary>Fewer questions would say nothing, whatever the scale.</summary>
    private const int LeastQuestions = 5;

    /// <summary>The experiment of a file that was written for the repository.</summary>
    public YamlMap Of(YamlMap file)
    {
        var seeds = Enumerable.Range(0, options.Seeds).Select(i => Text(unchecked(options.Seed + (ulong)i)));
        var settings = file.Find("settings")?.Value as YamlMap ?? new YamlMap([], 0);
        file = With(file, "output_dir", Text(Path.GetFullPath(options.Output)));
        file = With(file, "seeds", new YamlList([.. seeds], 0));
        file = With(file, "settings", With(settings, "threads", Text(options.Threads)));
        return (YamlMap)Placed(file);
    }

    /// <summary>Training steps, or questions, at the demo's scale: at least so many, where there were so many.</summary>
    public int Scaled(int count, int least) => Math.Max(Math.Min(least, count), (int)Math.Round(count * options.StepsScale));

    private static YamlScalar Text(IFormattable value) => new(value.ToString(null, CultureInfo.InvariantCulture), 0);

    private static YamlScalar Text(string value) => new(value, 0);

    /// <summary>The mapping with another value in a key's place, or behind the others where it has none.</summary>
    private static YamlMap With(YamlMap map, string key, YamlValue value) => map with
    {
        Members = map.Find(key) is null
            ? [.. map.Members, new YamlMember(key, 0, value)]
            : [.. map.Members.Select(member => member.Key == key ? member with { Value = value } : member)],
    };

    private YamlValue Placed(YamlValue value) => value switch
    {
        YamlMap map => map with { Members = [.. map.Members.Select(member => member with { Value = Sized(member.Key, Placed(member.Value)) })] },
        YamlList list => list with { Items = [.. list.Items.Select(Placed)] },
        YamlScalar { Text: { } text } when text.StartsWith(DataFolder, StringComparison.Ordinal) => Text(pathOf(text[DataFolder.Length..])),
        _ => value,
    };

    private YamlValue Sized(string key, YamlValue value)
    {
        int least = key switch { "max_steps" => 1, "limit" => LeastQuestions, _ => 0 };
        return least > 0 && value is YamlScalar { Text: { } text } && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            ? Text(Scaled(count, least))
            : value;
    }
}
