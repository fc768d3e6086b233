using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace RepNoise.Host.ChatTemplates;

/// <summary>Jinja's filters, as far as chat templates use them.</summary>
internal static class TemplateFilters
{
    /// <summary>The value of <c>value | name(arguments)</c>.</summary>
    public static object? Apply(TemplateRun run, int line, string name, object? value, List<object?> a, TemplateMap named)
    {
        switch (name)
        {
            case "trim": return a.Count > 0 && a[0] is string set ? Text(value).Trim(set.ToCharArray()) : Text(value).Trim();
            case "upper": return Text(value).ToUpperInvariant();
            case "lower": return Text(value).ToLowerInvariant();
            case "capitalize": return TemplateMethods.Capitalize(Text(value));
            case "title": return Title(Text(value));
            case "replace": return run.Text(line, TemplateMethods.Replace(line, Text(value), a));
            case "string": return Text(value);
            case "safe": return value;
            case "indent": return run.Text(line, Indent(Text(value), a, named));
            case "tojson": return run.Text(line, Json(line, value, a, named));
            case "default" or "d":
                bool alsoFalse = TemplateValues.IsTrue(a.Count > 1 ? a[1] : named.GetValueOrDefault("boolean"));
                return value is Undefined || (alsoFalse && !TemplateValues.IsTrue(value)) ? a.Count > 0 ? a[0] : "" : value;
            case "length" or "count":
                return (long)Elements().Count;
            case "first": return Elements() is [var first, ..] ? first : new Undefined("the first of nothing");
            case "last": return Elements() is [.., var last] ? last : new Undefined("the last of nothing");
            case "list": return new List<object?>([.. Elements()]);
            case "reverse": return value is string ? string.Concat(Elements().Reverse()) : new List<object?>([.. Elements().Reverse()]);
            case "items": return value is TemplateMap map ? TemplateMethods.Items(map) : throw Wrong("a mapping");
            case "join":
                string separator = a.Count > 0 ? Text(a[0]) : "";
                var attribute = a.Count > 1 ? a[1] : named.GetValueOrDefault("attribute");
                return run.Text(line, string.Join(separator, Elements().Select(item => Text(attribute is string path ? Attribute(item, path) : item))));
            case "int": return Whole(value, a.Count > 0 ? a[0] : 0L);
            case "float": return TemplateValues.Number(value) ?? (double.TryParse(Text(value), NumberStyles.Float, CultureInfo.InvariantCulture, out double real) ? real : 0.0);
            case "abs": return value switch { long n => Math.Abs(n), double d => Math.Abs(d), _ => throw Wrong("a number") };
            case "map" or "select" or "reject" or "selectattr" or "rejectattr":
                run.Step(line, Elements().Count);
                return name == "map" ? Map(run, line, Elements(), a, named) : Choose(line, name, Elements(), a);
            default: throw TemplateFault.Unsupported(line, $"filter {name}");
        }

        IReadOnlyList<object?> Elements() => TemplateValues.Elements(line, value);

        TemplateFault Wrong(string expected) => new(line, $"filter {name} got {TemplateValues.NameOf(value)}", expected);
    }

    /// <summary>Unlike the method: a word begins at the start and after a blank, a hyphen or an opening bracket only.</summary>
    private static string Title(string text)
    {
        var letters = text.ToLowerInvariant().ToCharArray();
        for (int i = 0; i < letters.Length; i++)
        {
            if (i == 0 || letters[i - 1] is '-' or '(' or '{' or '[' or '<' || char.IsWhiteSpace(letters[i - 1])) letters[i] = char.ToUpperInvariant(letters[i]);
        }

        return new string(letters);
    }

    private static string Text(object? value) => TemplateValues.Text(value);

    private static object? Attribute(object? item, string path)
    {
        foreach (string part in path.Split('.')) item = item is TemplateMap map && map.TryGetValue(part, out var value) ? value : new Undefined(part);
        return item;
    }

    private static List<object?> Map(TemplateRun run, int line, IReadOnlyList<object?> items, List<object?> a, TemplateMap named)
    {
        if (named.TryGetValue("attribute", out var attribute) && attribute is string path)
            return [.. items.Select(item => Attribute(item, path) is Undefined missing ? named.GetValueOrDefault("default", missing) : Attribute(item, path))];
        if (a is not [string filter, ..]) throw new TemplateFault(line, "filter map names nothing", "attribute=\"name\", or a filter's name");
        return [.. items.Select(item => Apply(run, line, filter, item, a[1..], named))];
    }

    private static List<object?> Choose(int line, string name, IReadOnlyList<object?> items, List<object?> a)
    {
        bool keeps = name.StartsWith("select", StringComparison.Ordinal), byAttribute = name.EndsWith("attr", StringComparison.Ordinal);
        string? path = byAttribute ? a.FirstOrDefault() as string ?? throw new TemplateFault(line, $"filter {name} names no attribute", "its name first") : null;
        int at = byAttribute ? 1 : 0;
        string? test = a.Count > at ? a[at] as string : null;
        return [.. items.Where(item => Holds(path is null ? item : Attribute(item, path)) == keeps)];

        bool Holds(object? value) => test is null ? TemplateValues.IsTrue(value) : TemplateTests.Holds(line, test, value, a[(at + 1)..]);
    }

    private static object? Whole(object? value, object? otherwise) => value switch
    {
        long n => n,
        bool b => b ? 1L : 0L,
        double d when Math.Abs(d) < 9e18 => (long)d,
        string s when long.TryParse(s.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long n) => n,
        _ => otherwise,
    };

    private static string Indent(string text, List<object?> a, TemplateMap named)
    {
        object? width = a.Count > 0 ? a[0] : named.GetValueOrDefault("width", 4L);
        string blanks = width as string ?? new string(' ', (int)Math.Clamp(width as long? ?? 4, 0, 1000));
        bool first = TemplateValues.IsTrue(a.Count > 1 ? a[1] : named.GetValueOrDefault("first"));
        bool blank = TemplateValues.IsTrue(a.Count > 2 ? a[2] : named.GetValueOrDefault("blank"));
        return string.Join('\n', text.Split('\n').Select((row, i) => (i == 0 && !first) || (i > 0 && row.Length == 0 && !blank) ? row : blanks + row));
    }

    /// <summary>As transformers defines it: Python's json.dumps without escapes for what is not ASCII.</summary>
    private static string Json(int line, object? value, List<object?> a, TemplateMap named)
    {
        object? indent = a.Count > 0 ? a[0] : named.GetValueOrDefault("indent");
        if (named.Keys.FirstOrDefault(key => key is not ("indent" or "ensure_ascii")) is { } other) throw TemplateFault.Unsupported(line, $"tojson({other}=)");
        var text = new StringBuilder();
        string? blanks = indent switch { null => null, string s => s, long n => new string(' ', (int)Math.Clamp(n, 0, 100)), _ => throw new TemplateFault(line, "tojson got a strange indent", "an integer") };
        Write(value, "\n");
        return text.ToString();

        void Write(object? item, string rowBreak)
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();
            switch (item)
            {
                case null: text.Append("null"); break;
                case bool b: text.Append(b ? "true" : "false"); break;
                case long n: text.Append(n.ToString(CultureInfo.InvariantCulture)); break;
                case double d: text.Append(TemplateValues.Real(d)); break;
                case string s: WriteText(s); break;
                case List<object?> list: Group('[', ']', list.Select(element => (Action<string>)(inner => Write(element, inner))).ToList(), rowBreak); break;
                case TemplateMap map:
                    Group('{', '}', map.Select(pair => (Action<string>)(inner =>
                    {
                        WriteText(pair.Key);
                        text.Append(": ");
                        Write(pair.Value, inner);
                    })).ToList(), rowBreak);
                    break;
                default: throw new TemplateFault(line, $"tojson got {TemplateValues.NameOf(item)}", "texts, numbers, lists and mappings");
            }
        }

        void Group(char open, char close, List<Action<string>> writers, string rowBreak)
        {
            string inner = rowBreak + blanks;
            text.Append(open);
            for (int i = 0; i < writers.Count; i++)
            {
                text.Append(i == 0 ? "" : blanks is null ? ", " : ",").Append(blanks is null ? "" : inner);
                writers[i](inner);
            }

            text.Append(writers.Count > 0 && blanks is not null ? rowBreak : "").Append(close);
        }

        void WriteText(string content)
        {
            text.Append('"');
            foreach (char c in content)
            {
                text.Append(c switch
                {
                    '"' => "\\\"",
                    '\\' => "\\\\",
                    '\n' => "\\n",
                    '\r' => "\\r",
                    '\t' => "\\t",
                    '\b' => "\\b",
                    '\f' => "\\f",
                    < ' ' => $"\\u{(int)c:x4}",
                    _ => c.ToString(),
                });
            }

            text.Append('"');
        }
    }
}

/// <summary>Jinja's tests, as far as chat templates use them.</summary>
internal static class TemplateTests
{
    public static bool Holds(int line, string name, object? value, IReadOnlyList<object?> a)
    {
        return name switch
        {
            "defined" => value is not Undefined,
            "undefined" => value is Undefined,
            "none" => value is null,
            "boolean" => value is bool,
            "true" => value is true,
            "false" => value is false,
            "string" => value is string,
            "number" => value is long or double or bool,
            "integer" => value is long,
            "float" => value is double,
            "mapping" => value is TemplateMap,
            "iterable" or "sequence" => value is string or List<object?> or TemplateMap,
            "callable" => value is TemplateFunction,
            "odd" => value is long n && n % 2 != 0,
            "even" => value is long m && m % 2 == 0,
            "divisibleby" => value is long p && Argument() is long q and not 0 && p % q == 0,
            "equalto" or "eq" or "==" => TemplateValues.AreEqual(value, Argument()),
            "ne" or "!=" => !TemplateValues.AreEqual(value, Argument()),
            "sameas" => ReferenceEquals(value, Argument()) || (value is bool or null && Equals(value, Argument())),
            "in" => TemplateValues.Contains(line, Argument(), value),
            "gt" or "greaterthan" or ">" => TemplateValues.Compare(line, value, Argument()) > 0,
            "ge" or ">=" => TemplateValues.Compare(line, value, Argument()) >= 0,
            "lt" or "lessthan" or "<" => TemplateValues.Compare(line, value, Argument()) < 0,
            "le" or "<=" => TemplateValues.Compare(line, value, Argument()) <= 0,
            "lower" => value is string s && s.Any(char.IsLetter) && !s.Any(char.IsUpper),
            "upper" => value is string s && s.Any(char.IsLetter) && !s.Any(char.IsLower),
            _ => throw TemplateFault.Unsupported(line, $"test {name}"),
        };

        object? Argument() => a.Count > 0 ? a[0] : throw new TemplateFault(line, $"test {name} lacks its argument", "a value behind it");
    }
}
