namespace RepNoise.Host.ChatTemplates;

/// <summary>Python's methods of texts and mappings, and the functions that templates can call.</summary>
internal static class TemplateMethods
{
    private const int LongestRange = 100_000;

    private static readonly Dictionary<string, Func<TemplateRun, int, string, IReadOnlyList<object?>, object?>> OfText = new(StringComparer.Ordinal)
    {
        ["strip"] = (_, line, text, a) => a.Count == 0 ? text.Trim() : text.Trim(Characters(line, a)),
        ["lstrip"] = (_, line, text, a) => a.Count == 0 ? text.TrimStart() : text.TrimStart(Characters(line, a)),
        ["rstrip"] = (_, line, text, a) => a.Count == 0 ? text.TrimEnd() : text.TrimEnd(Characters(line, a)),
        ["upper"] = (_, _, text, _) => text.ToUpperInvariant(),
        ["lower"] = (_, _, text, _) => text.ToLowerInvariant(),
        ["title"] = (_, _, text, _) => Title(text),
        ["capitalize"] = (_, _, text, _) => Capitalize(text),
        ["startswith"] = (_, line, text, a) => Prefixes(line, a).Any(prefix => text.StartsWith(prefix, StringComparison.Ordinal)),
        ["endswith"] = (_, line, text, a) => Prefixes(line, a).Any(suffix => text.EndsWith(suffix, StringComparison.Ordinal)),
        ["removeprefix"] = (_, line, text, a) => text.StartsWith(String(line, a, 0), StringComparison.Ordinal) ? text[String(line, a, 0).Length..] : text,
        ["removesuffix"] = (_, line, text, a) => text.EndsWith(String(line, a, 0), StringComparison.Ordinal) ? text[..^String(line, a, 0).Length] : text,
        ["find"] = (_, line, text, a) => (long)text.IndexOf(String(line, a, 0), StringComparison.Ordinal),
        ["rfind"] = (_, line, text, a) => (long)text.LastIndexOf(String(line, a, 0), StringComparison.Ordinal),
        ["count"] = (_, line, text, a) => (long)text.Split(NotEmpty(line, String(line, a, 0))).Length - 1,
        ["replace"] = (run, line, text, a) => run.Text(line, Replace(line, text, a)),
        ["split"] = (run, line, text, a) => Split(run, line, text, a, fromEnd: false),
        ["rsplit"] = (run, line, text, a) => Split(run, line, text, a, fromEnd: true),
        ["splitlines"] = (_, _, text, _) => Lines(text),
        ["isdigit"] = (_, _, text, _) => text.Length > 0 && text.All(char.IsDigit),
        ["join"] = (run, line, text, a) => run.Text(line, string.Join(text, TemplateValues.Elements(line, a.Count > 0 ? a[0] : null).Select(TemplateValues.Text))),
    };

    private static readonly Dictionary<string, Func<TemplateMap, IReadOnlyList<object?>, object?>> OfMap = new(StringComparer.Ordinal)
    {
        ["items"] = (map, _) => Items(map),
        ["keys"] = (map, _) => new List<object?>([.. map.Keys]),
        ["values"] = (map, _) => new List<object?>([.. map.Values]),
        ["get"] = (map, a) => a is [string key, ..] && map.TryGetValue(key, out var value) ? value : a.Count > 1 ? a[1] : null,
    };

    /// <summary>The functions of every template.</summary>
    public static TemplateScope Globals()
    {
        return new TemplateScope(null)
        {
            ["range"] = (TemplateFunction)Range,
            ["namespace"] = (TemplateFunction)((_, _, _, named) => Namespace(named)),
            ["dict"] = (TemplateFunction)((_, _, _, named) => named),
            ["raise_exception"] = (TemplateFunction)((_, line, a, _) => throw new TemplateFault(
                line, $"the template refuses the messages: {(a.Count > 0 ? TemplateValues.Text(a[0]) : "")}", "messages that it accepts", "change the data, or use --template")),
        };
    }

    /// <summary>A method of a value, or null where it has none of that name.</summary>
    public static TemplateFunction? Find(object? target, string name) => target switch
    {
        string text when OfText.TryGetValue(name, out var method) => (run, line, a, _) => method(run, line, text, a),
        TemplateMap map when OfMap.TryGetValue(name, out var method) => (_, _, a, _) => method(map, a),
        _ => null,
    };

    public static List<object?> Items(TemplateMap map) => [.. map.Select(pair => (object?)new List<object?> { pair.Key, pair.Value })];

    public static string Capitalize(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    public static string Title(string text)
    {
        var letters = text.ToLowerInvariant().ToCharArray();
        for (int i = 0; i < letters.Length; i++)
        {
            if (char.IsLetter(letters[i]) && (i == 0 || !char.IsLetter(letters[i - 1]))) letters[i] = char.ToUpperInvariant(letters[i]);
        }

        return new string(letters);
    }

    public static string Replace(int line, string text, IReadOnlyList<object?> a)
    {
        string from = NotEmpty(line, String(line, a, 0)), to = String(line, a, 1);
        if (a.Count < 3) return text.Replace(from, to, StringComparison.Ordinal);
        string[] parts = text.Split(from, (int)Math.Clamp(a[2] as long? ?? 0, 0, int.MaxValue - 1) + 1);
        return string.Join(to, parts);
    }

    private static TemplateNamespace Namespace(TemplateMap named)
    {
        var space = new TemplateNamespace();
        foreach (var (name, value) in named) space.Values[name] = value;
        return space;
    }

    private static List<object?> Range(TemplateRun run, int line, IReadOnlyList<object?> a, TemplateMap named)
    {
        long[] bounds = [.. a.Select(value => value as long? ?? throw new TemplateFault(line, $"range() got {TemplateValues.NameOf(value)}", "integers"))];
        var (from, to, step) = bounds.Length switch
        {
            1 => (0L, bounds[0], 1L),
            2 => (bounds[0], bounds[1], 1L),
            3 when bounds[2] != 0 => (bounds[0], bounds[1], bounds[2]),
            _ => throw new TemplateFault(line, "range() got wrong bounds", "one, two or three integers, the step not 0"),
        };
        var numbers = new List<object?>();
        for (long i = from; step > 0 ? i < to : i > to; i += step)
        {
            if (numbers.Count == LongestRange) throw new TemplateFault(line, "a range is too long", $"at most {LongestRange} numbers");
            numbers.Add(i);
        }

        run.Step(line, numbers.Count);
        return numbers;
    }

    private static List<object?> Split(TemplateRun run, int line, string text, IReadOnlyList<object?> a, bool fromEnd)
    {
        int most = a.Count > 1 && a[1] is long limit and >= 0 ? (int)Math.Min(limit, int.MaxValue - 1) : int.MaxValue - 1;
        bool byBlanks = a.Count == 0 || a[0] is null;
        if (byBlanks && most != int.MaxValue - 1) throw TemplateFault.Unsupported(line, "split by blanks with a limit");
        string[] parts = byBlanks ? text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            : fromEnd ? SplitFromEnd(text, NotEmpty(line, String(line, a, 0)), most)
            : text.Split(NotEmpty(line, String(line, a, 0)), most + 1);
        run.Step(line, parts.Length);
        return [.. parts];
    }

    private static string[] SplitFromEnd(string text, string separator, int most)
    {
        string[] parts = text.Split(separator);
        int kept = Math.Max(1, parts.Length - most);
        return [string.Join(separator, parts[..kept]), .. parts[kept..]];
    }

    private static List<object?> Lines(string text)
    {
        string[] lines = text.ReplaceLineEndings("\n").Split('\n');
        return [.. lines[^1].Length == 0 ? lines[..^1] : lines];
    }

    private static char[] Characters(int line, IReadOnlyList<object?> a) => String(line, a, 0).ToCharArray();

    private static IEnumerable<string> Prefixes(int line, IReadOnlyList<object?> a) =>
        a is [List<object?> several, ..] ? several.OfType<string>() : [String(line, a, 0)];

    private static string String(int line, IReadOnlyList<object?> a, int index) => index < a.Count && a[index] is string text
        ? text
        : throw new TemplateFault(line, index < a.Count ? $"a method got {TemplateValues.NameOf(a[index])}" : "a method lacks an argument", "a text");

    private static string NotEmpty(int line, string text) =>
        text.Length > 0 ? text : throw TemplateFault.Unsupported(line, "an empty text as separator");
}
