using RepNoise.Host.Checkpoints;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace RepNoise.Host.Configuration;

/// <summary>A key of a flat YAML file with its values, as text.</summary>
/// <param name="Key">The key.</param>
/// <param name="Texts">One text, several for a sequence, none where the value is null.</param>
/// <param name="IsSequence">True where the file wrote a sequence.</param>
/// <param name="Line">The key's line, from 1.</param>
internal sealed record YamlEntry(string Key, IReadOnlyList<string> Texts, bool IsSequence, long Line);

/// <summary>
/// Reads the YAML that configurations need: one mapping from keys to scalars or to sequences of scalars. It works on parser
/// events, refuses nesting at the first event that would start it, and knows no anchors, aliases or tags, so a hostile file can
/// neither expand nor overflow anything. Scalars stay text: each setting decides what a number is, so <c>2e-5</c>, which YAML 1.1
/// calls a string, is a number.
/// </summary>
internal static class FlatYaml
{
    /// <summary>The entries of the file at <paramref name="path"/>, in its order; none for an empty file.</summary>
    /// <exception cref="ConfigurationException">The file is absent, too large, not YAML or more than a flat mapping.</exception>
    public static IReadOnlyList<YamlEntry> Read(string path) => Entries(YamlSource.Read(path), path);

    /// <summary>The entries of a file that is in memory.</summary>
    /// <inheritdoc cref="Read"/>
    public static IReadOnlyList<YamlEntry> Parse(ReadOnlySpan<byte> bytes, string path) => Entries(YamlSource.Decode(bytes, path), path);

    private static List<YamlEntry> Entries(string text, string path)
    {
        var parser = YamlSource.Parse(text, path);
        try
        {
            return new Reader(path, parser).Document();
        }
        catch (Exception error) when (YamlSource.IsSyntax(error))
        {
            throw YamlSource.NotYaml(error, path, parser);
        }
    }

    private sealed class Reader(string path, IParser parser)
    {
        public List<YamlEntry> Document()
        {
            var entries = new List<YamlEntry>();
            parser.Consume<StreamStart>();
            if (parser.TryConsume<DocumentStart>(out _))
            {
                Mapping(entries);
                parser.Consume<DocumentEnd>();
            }

            return parser.TryConsume<StreamEnd>(out _)
                ? entries
                : throw Refuse("a second document", "one document", "remove the line --- and what follows, or split the file");
        }

        private void Mapping(List<YamlEntry> entries)
        {
            if (parser.Current is Scalar { Value.Length: 0 })
            {
                parser.MoveNext();
                return;
            }

            if (parser.Current is not MappingStart start)
            {
                throw Refuse("no keys", "lines of the form key: value", "write one setting a line");
            }

            Plain(start);
            parser.MoveNext();
            var lines = new Dictionary<string, long>(StringComparer.Ordinal);
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                var entry = Entry();
                if (!lines.TryAdd(entry.Key, entry.Line))
                {
                    throw new ConfigurationException(
                        path, entry.Line, $"{Quoted.Plain(entry.Key)} is given twice, first on line {lines[entry.Key]}", "each key once", "remove one of the two");
                }

                entries.Add(entry);
            }
        }

        private YamlEntry Entry()
        {
            var key = TakeScalar("a key", "a plain word as key");
            if (!parser.TryConsume<SequenceStart>(out var sequence))
            {
                var value = TakeScalar($"{Quoted.Plain(key.Value)} with nested keys", "one value, or a list of values");
                return new YamlEntry(key.Value, IsNull(value) ? [] : [value.Value], false, key.Start.Line);
            }

            Plain(sequence);
            var texts = new List<string>();
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                texts.Add(TakeScalar($"a nested value in {Quoted.Plain(key.Value)}", "a flat list of values").Value);
            }

            return new YamlEntry(key.Value, texts, true, key.Start.Line);
        }

        private Scalar TakeScalar(string found, string expected)
        {
            if (parser.Current is AnchorAlias)
            {
                throw Refuse("an alias (*name)", "values written out", "write the value itself");
            }

            if (parser.Current is not Scalar scalar)
            {
                throw Refuse(found, expected, "settings are flat: write one key and its value a line");
            }

            Plain(scalar);
            parser.MoveNext();
            return scalar;
        }

        private void Plain(NodeEvent node)
        {
            if (!node.Anchor.IsEmpty)
            {
                throw Refuse($"an anchor (&{Quoted.Plain(node.Anchor.Value)})", "values without anchors", "write the value itself");
            }

            // An explicitly quoted scalar carries the non-specific tag "!", which asks for nothing.
            if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)
            {
                throw Refuse($"a tag ({Quoted.Plain(node.Tag.Value)})", "values without tags", "write the value alone");
            }
        }

        private static bool IsNull(Scalar scalar) => scalar.Style == ScalarStyle.Plain && scalar.Value is ("" or "~" or "null" or "Null" or "NULL");

        private ConfigurationException Refuse(string found, string expected, string remedy) =>
            new(path, parser.Current?.Start.Line ?? 0, $"found {found}", expected, remedy);
    }
}
