using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace RepNoise.Host.Experiments;

/// <summary>A value of a YAML file with the line it begins on, from 1.</summary>
internal abstract record YamlValue(long Line);

/// <summary>One value as text; null where the file says nothing, <c>~</c> or <c>null</c>.</summary>
internal sealed record YamlScalar(string? Text, long Line) : YamlValue(Line);

/// <summary>A list.</summary>
internal sealed record YamlList(IReadOnlyList<YamlValue> Items, long Line) : YamlValue(Line);

/// <summary>A mapping, in the file's order; no key stands twice.</summary>
internal sealed record YamlMap(IReadOnlyList<YamlMember> Members, long Line) : YamlValue(Line)
{
    /// <summary>The member with this key, or null.</summary>
    public YamlMember? Find(string key) => Members.FirstOrDefault(member => member.Key == key);
}

/// <summary>A key with its value.</summary>
internal sealed record YamlMember(string Key, long Line, YamlValue Value);

/// <summary>
/// Reads the YAML of an experiment: mappings and lists, a few levels deep. As <see cref="FlatYaml"/> it works on parser events and
/// knows no anchors, aliases or tags, so a hostile file can neither expand nor overflow anything; scalars stay text.
/// </summary>
internal sealed class YamlTree
{
    /// <summary>An experiment needs four levels.</summary>
    private const int MostLevels = 6;

    private readonly string path;
    private readonly IParser parser;

    private YamlTree(string path, IParser parser) => (this.path, this.parser) = (path, parser);

    /// <summary>The mapping that the file at <paramref name="path"/> holds.</summary>
    /// <exception cref="ConfigurationException">The file is absent, not YAML, no mapping, or nested too deeply.</exception>
    public static YamlMap Read(string path) => Root(YamlSource.Read(path), path);

    /// <summary>The mapping of a file that is in memory.</summary>
    /// <inheritdoc cref="Read"/>
    public static YamlMap Parse(ReadOnlySpan<byte> bytes, string path) => Root(YamlSource.Decode(bytes, path), path);

    private static YamlMap Root(string text, string path)
    {
        var parser = YamlSource.Parse(text, path);
        try
        {
            return new YamlTree(path, parser).Document();
        }
        catch (Exception error) when (YamlSource.IsSyntax(error))
        {
            throw YamlSource.NotYaml(error, path, parser);
        }
    }

    private YamlMap Document()
    {
        parser.Consume<StreamStart>();
        if (!parser.TryConsume<DocumentStart>(out _)) throw Refuse("an empty file", "an experiment", "see repnoise experiment --help");
        var root = Value(0) as YamlMap ?? throw new ConfigurationException(path, 1, "found no keys", "lines of the form key: value", "see repnoise experiment --help");
        parser.Consume<DocumentEnd>();
        return parser.TryConsume<StreamEnd>(out _) ? root : throw Refuse("a second document", "one document", "remove the line --- and what follows");
    }

    private YamlValue Value(int level)
    {
        if (level > MostLevels) throw Refuse($"more than {MostLevels} levels", "fewer levels", "see docs/experiment.md for the keys");
        switch (parser.Current)
        {
            case Scalar scalar:
                Plain(scalar);
                parser.MoveNext();
                return new YamlScalar(IsNull(scalar) ? null : scalar.Value, scalar.Start.Line);
            case SequenceStart sequence:
                return List(sequence, level);
            case MappingStart mapping:
                return Map(mapping, level);
            default:
                throw Refuse("an alias (*name)", "values written out", "write the value itself");
        }
    }

    private YamlList List(SequenceStart start, int level)
    {
        Plain(start);
        parser.MoveNext();
        var items = new List<YamlValue>();
        while (!parser.TryConsume<SequenceEnd>(out _)) items.Add(Value(level + 1));
        return new YamlList(items, start.Start.Line);
    }

    private YamlMap Map(MappingStart start, int level)
    {
        Plain(start);
        parser.MoveNext();
        var members = new List<YamlMember>();
        var lines = new Dictionary<string, long>(StringComparer.Ordinal);
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            if (parser.Current is not Scalar { Value: var key } name) throw Refuse("no key", "a plain word as key", "write key: value");
            Plain(name);
            parser.MoveNext();
            if (!lines.TryAdd(key, name.Start.Line))
                throw new ConfigurationException(path, name.Start.Line, $"{Quoted.Plain(key)} is given twice, first on line {lines[key]}", "each key once", "remove one of the two");
            members.Add(new YamlMember(key, name.Start.Line, Value(level + 1)));
        }

        return new YamlMap(members, start.Start.Line);
    }

    private void Plain(NodeEvent node)
    {
        if (!node.Anchor.IsEmpty) throw Refuse($"an anchor (&{Quoted.Plain(node.Anchor.Value)})", "values without anchors", "write the value itself");
        if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific) throw Refuse($"a tag ({Quoted.Plain(node.Tag.Value)})", "values without tags", "write the value alone");
    }

    /// <summary>True where a text without quotes says nothing.</summary>
    public static bool IsNull(string text) => text is "" or "~" or "null" or "Null" or "NULL";

    private static bool IsNull(Scalar scalar) => scalar.Style == ScalarStyle.Plain && IsNull(scalar.Value);

    private ConfigurationException Refuse(string found, string expected, string remedy) =>
        new(path, parser.Current?.Start.Line ?? 0, $"found {found}", expected, remedy);
}
