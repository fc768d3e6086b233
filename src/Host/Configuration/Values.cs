using System.Globalization;
using System.Text;
using RepNoise.Host.Dumps;
using RepNoise.Host.Model;

namespace RepNoise.Host.Configuration;

/// <summary>The kinds of value that settings and options have.</summary>
internal static class Values
{
    /// <summary>A truth value: <c>true</c> or <c>false</c>, in any case.</summary>
    public static readonly ValueKind<bool> Boolean = new BooleanKind();

    /// <summary>A non-empty text, null where absent.</summary>
    public static readonly ValueKind<string?> Text = new TextKind("text", "a text that is not empty");

    /// <summary>A path, null where absent.</summary>
    public static readonly ValueKind<string?> Path = new TextKind("path", "a path");

    /// <summary>A path, or <c>true</c> for the one that can be found; null, written <c>false</c>, for none.</summary>
    public static readonly ValueKind<string?> PathOrTrue = new ParsedKind<string?>(
        "path|true",
        "a path, true or false",
        (string text, out string? value) =>
        {
            value = bool.TryParse(text, out var given) ? (given ? "true" : null) : text;
            return !string.IsNullOrWhiteSpace(text) && !text.Contains('\0', StringComparison.Ordinal);
        },
        value => value);

    /// <summary>A count of at least one, or <c>all</c> (null).</summary>
    public static readonly ValueKind<int?> CountOrAll = new ParsedKind<int?>(
        "n|all",
        "an integer, 1 or more, or \"all\"",
        (string text, out int? value) =>
        {
            value = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : null;
            return value is > 0 || text.Equals("all", StringComparison.OrdinalIgnoreCase);
        },
        value => value is { } count ? count.ToString(CultureInfo.InvariantCulture) : "all");

    /// <summary>A seed: any unsigned 64-bit integer.</summary>
    public static readonly ValueKind<ulong> Seed = new ParsedKind<ulong>(
        "seed",
        "an integer from 0 to 18446744073709551615",
        (string text, out ulong value) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value),
        value => value.ToString(CultureInfo.InvariantCulture));

    /// <summary>Layers <c>first-last</c>, inclusive and from 0, or <c>all</c> (null).</summary>
    public static readonly ValueKind<(int First, int Last)?> LayerRange = new ParsedKind<(int First, int Last)?>(
        "layers",
        "\"all\", or the first and last layer from 0, such as 0-5",
        TryParseLayers,
        range => range is (int first, int last) ? string.Create(CultureInfo.InvariantCulture, $"{first}-{last}") : "all");

    /// <summary>A part of a model: <c>embed</c>, <c>head</c>, <c>norm</c>, a layer or a range of layers.</summary>
    public static readonly ValueKind<ModelPart> ModelPart = new ParsedKind<ModelPart>(
        "parts",
        "embed, head, norm, a layer from 0 or a range of layers such as 0-3",
        TryParsePart,
        FormatPart);

    /// <summary>A linear layer that can have an adapter, by its name in checkpoints.</summary>
    public static readonly ValueKind<LinearModule> LinearModule = NamedChoice(
        "layers", [.. Enum.GetValues<LinearModule>().Select(module => (module, ModelParameters.ModuleName(module)))]);

    /// <summary>An amount of memory in bytes, written with a unit: <c>24GiB</c>, <c>16 GB</c>; null where absent.</summary>
    public static readonly ValueKind<long?> Memory = new ParsedKind<long?>(
        "size",
        "a size such as 24GiB, 16GB or 900MiB",
        TryParseMemory,
        bytes => bytes?.ToString(CultureInfo.InvariantCulture));

    /// <summary>A forced kernel, <c>operation=variant</c>.</summary>
    public static readonly ValueKind<KernelChoice> Kernel = new ParsedKind<KernelChoice>(
        "op=variant",
        "operation=variant, such as matmul=scalar",
        TryParseKernel,
        choice => choice == default ? null : $"{choice.Operation}={choice.Variant}");

    /// <summary>Steps from 1: numbers and ranges.</summary>
    public static readonly ValueKind<StepRanges> Steps = new ParsedKind<StepRanges>(
        "steps", "steps from 1, such as 1, 3-5 or 1,10-12", StepRanges.TryParse, ranges => ranges.ToString());

    /// <summary>A finite number from <paramref name="min"/> to <paramref name="max"/>.</summary>
    public static ValueKind<double> Real(double min, double max, string expected) => new ParsedKind<double>(
        "number",
        expected,
        (string text, out double value) =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value)
            && double.IsFinite(value) && value >= min && value <= max,
        FormatReal);

    /// <summary>A number that may be anything above zero.</summary>
    public static ValueKind<double> Positive() => Real(double.Epsilon, double.MaxValue, "a number above 0");

    /// <summary>A number that may be zero.</summary>
    public static ValueKind<double> NotNegative() => Real(0, double.MaxValue, "a number, 0 or more");

    /// <summary>A share, 0 to 1.</summary>
    public static ValueKind<double> Share() => Real(0, 1, "a number from 0 to 1");

    /// <summary>An integer of at least <paramref name="min"/>.</summary>
    public static ValueKind<int> Integer(int min, string expected) => new ParsedKind<int>(
        "n",
        expected,
        (string text, out int value) =>
            int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && value >= min,
        value => value.ToString(CultureInfo.InvariantCulture));

    public static ValueKind<int> PositiveInteger() => Integer(1, "an integer, 1 or more");

    /// <summary>One of the members of <typeparamref name="T"/>, written in <c>snake_case</c> unless <paramref name="names"/> say
    /// otherwise. A member may have several names: the first is shown, all are accepted.</summary>
    public static ValueKind<T> Choice<T>(params (T Value, string Name)[] names)
        where T : struct, Enum
    {
        var all = names.Length > 0 ? names : [.. Enum.GetValues<T>().Select(value => (value, SnakeCase(value.ToString())))];
        return new ChoiceKind<T>(all);
    }

    /// <summary>As <see cref="Choice"/>, with a word for the value where the names are too long for one.</summary>
    public static ValueKind<T> NamedChoice<T>(string placeholder, params (T Value, string Name)[] names)
        where T : struct, Enum => new ChoiceKind<T>(names, placeholder);

    /// <summary>The same kind where the value may be absent.</summary>
    public static ValueKind<T?> Optional<T>(ValueKind<T> kind)
        where T : struct => new ParsedKind<T?>(
            kind.Placeholder,
            kind.Expected,
            (string text, out T? value) =>
            {
                var parsed = kind.TryParse(text, out var present);
                value = present;
                return parsed;
            },
            value => value is T present ? kind.Format(present) : null);

    /// <summary>Round-trips, and is a number to YAML 1.1 readers too: they want a point before the exponent.</summary>
    private static string FormatReal(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        var exponent = text.IndexOf('E', StringComparison.Ordinal);
        if (exponent < 0)
        {
            return text;
        }

        var mantissa = text[..exponent];
        return (mantissa.Contains('.', StringComparison.Ordinal) ? mantissa : mantissa + ".0") + "e" + text[(exponent + 1)..];
    }

    private static bool TryParseLayers(string text, out (int First, int Last)? value)
    {
        value = null;
        if (text.Equals("all", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        var dash = text.IndexOf('-', StringComparison.Ordinal);
        if (dash < 0
            || !int.TryParse(text.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            || !int.TryParse(text.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            || first > last)
        {
            return false;
        }

        value = (first, last);
        return true;
    }

    private static bool TryParsePart(string text, out ModelPart value)
    {
        value = default;
        foreach (var kind in (PartKind[])[PartKind.Embed, PartKind.Head, PartKind.Norm])
        {
            if (!text.Equals(kind.ToString(), StringComparison.OrdinalIgnoreCase)) continue;
            value = new ModelPart(kind);
            return true;
        }

        if (!TryParseLayers(text.Contains('-', StringComparison.Ordinal) ? text : $"{text}-{text}", out var range) || range is not (int first, int last)) return false;
        value = new ModelPart(PartKind.Layers, first, last);
        return true;
    }

    private static string FormatPart(ModelPart part) => part switch
    {
        { Kind: not PartKind.Layers } => SnakeCase(part.Kind.ToString()),
        var (_, first, last) when first == last => first.ToString(CultureInfo.InvariantCulture),
        var (_, first, last) => string.Create(CultureInfo.InvariantCulture, $"{first}-{last}"),
    };

    private static bool TryParseMemory(string text, out long? value)
    {
        (string Name, double Bytes)[] units =
        [
            ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1),
        ];
        value = null;
        var (unit, factor) = units.FirstOrDefault(unit => text.EndsWith(unit.Name, StringComparison.OrdinalIgnoreCase), ("", 1));
        if (!double.TryParse(text.AsSpan(0, text.Length - unit.Length).Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            || number * factor is not (>= 1 and < long.MaxValue))
        {
            return false;
        }

        value = (long)(number * factor);
        return true;
    }

    private static bool TryParseKernel(string text, out KernelChoice value)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        value = equals > 0 ? new KernelChoice(text[..equals].Trim(), text[(equals + 1)..].Trim()) : new KernelChoice("", "");
        return value.Operation.Length > 0 && value.Variant.Length > 0;
    }

    private static string SnakeCase(string name)
    {
        var text = new StringBuilder();
        foreach (var letter in name)
        {
            if (char.IsAsciiLetterUpper(letter) && text.Length > 0)
            {
                text.Append('_');
            }

            text.Append(char.ToLowerInvariant(letter));
        }

        return text.ToString();
    }

    private delegate bool Parser<T>(string text, out T value);

    private sealed class ParsedKind<T>(string placeholder, string expected, Parser<T> parse, Func<T, string?> format)
        : ValueKind<T>(placeholder, expected)
    {
        public override bool TryParse(string text, out T value) => parse(text, out value);

        public override string? Format(T value) => format(value);
    }

    private sealed class BooleanKind() : ValueKind<bool>("true|false", "true or false")
    {
        public override bool IsFlag => true;

        public override bool TryParse(string text, out bool value) => bool.TryParse(text, out value);

        public override string Format(bool value) => value ? "true" : "false";
    }

    private sealed class TextKind(string placeholder, string expected) : ValueKind<string?>(placeholder, expected)
    {
        public override bool IsText => true;

        public override bool TryParse(string text, out string? value)
        {
            value = text;
            return !string.IsNullOrWhiteSpace(text) && !text.Contains('\0', StringComparison.Ordinal);
        }

        public override string? Format(string? value) => value;
    }

    private sealed class ChoiceKind<T>((T Value, string Name)[] names, string? placeholder = null)
        : ValueKind<T>(placeholder ?? string.Join('|', Shown(names)), "one of " + string.Join(", ", Shown(names)))
        where T : struct, Enum
    {
        public override bool TryParse(string text, out T value)
        {
            var index = Array.FindIndex(names, entry => entry.Name.Equals(text, StringComparison.OrdinalIgnoreCase));
            value = index >= 0 ? names[index].Value : default;
            return index >= 0;
        }

        public override string Format(T value) => Array.Find(names, entry => EqualityComparer<T>.Default.Equals(entry.Value, value)).Name;

        private static IEnumerable<string> Shown((T Value, string Name)[] names) => names.DistinctBy(entry => entry.Value).Select(entry => entry.Name);
    }
}
