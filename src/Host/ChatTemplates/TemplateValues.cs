using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace RepNoise.Host.ChatTemplates;

/// <summary>
/// Values as Python has them: null is None; bool, long, double, string, which counts in code points; lists and maps.
/// </summary>
internal static class TemplateValues
{
    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool b => b,
        long n => n != 0,
        double d => d != 0,
        string s => s.Length > 0,
        List<object?> list => list.Count > 0,
        TemplateMap map => map.Count > 0,
        _ => true,
    };

    public static string NameOf(object? value) => value switch
    {
        null => "none",
        Undefined undefined => $"{undefined.Name}, which is undefined",
        bool => "a boolean",
        long => "an integer",
        double => "a number",
        string => "a text",
        List<object?> => "a list",
        TemplateMap => "a mapping",
        _ => "an object",
    };

    /// <summary><c>str(value)</c>.</summary>
    public static string Text(object? value) => value switch
    {
        Undefined => "",
        string s => s,
        _ => Repr(value),
    };

    /// <summary><c>repr(value)</c>.</summary>
    public static string Repr(object? value)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return ReprOf(value);
    }

    private static string ReprOf(object? value) => value switch
    {
        null => "None",
        bool b => b ? "True" : "False",
        long n => n.ToString(CultureInfo.InvariantCulture),
        double d => Real(d),
        string s => Quoted(s),
        List<object?> list => "[" + string.Join(", ", list.Select(Repr)) + "]",
        TemplateMap map => "{" + string.Join(", ", map.Select(pair => $"{Quoted(pair.Key)}: {Repr(pair.Value)}")) + "}",
        Undefined => "Undefined",
        _ => "<object>",
    };

    public static string Real(double value)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        return text.AsSpan().IndexOfAny(".EeNI") < 0 ? text + ".0" : text.Replace("E", "e", StringComparison.Ordinal);
    }

    public static bool AreEqual(object? a, object? b)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return EqualityOf(a, b);
    }

    private static bool EqualityOf(object? a, object? b) => (a, b) switch
    {
        (null, null) => true,
        (Undefined, Undefined) => true,
        (string x, string y) => x == y,
        (List<object?> x, List<object?> y) => x.Count == y.Count && x.Zip(y).All(pair => AreEqual(pair.First, pair.Second)),
        (TemplateMap x, TemplateMap y) => x.Count == y.Count && x.All(pair => y.TryGetValue(pair.Key, out var other) && AreEqual(pair.Value, other)),
        _ => Number(a) is { } x && Number(b) is { } y ? x.Equals(y) : ReferenceEquals(a, b) && a is not null,
    };

    /// <summary>Numbers and booleans as a number, else null.</summary>
    public static double? Number(object? value) => value switch { bool b => b ? 1 : 0, long n => n, double d => d, _ => null };

    public static int Compare(int line, object? a, object? b)
    {
        if (Number(a) is { } x && Number(b) is { } y) return x.CompareTo(y);
        if (a is string s && b is string t) return Math.Sign(string.CompareOrdinal(s, t));
        throw new TemplateFault(line, $"{NameOf(a)} is compared with {NameOf(b)}", "two numbers or two texts");
    }

    public static bool Contains(int line, object? container, object? item) => container switch
    {
        string s when item is string part => s.Contains(part, StringComparison.Ordinal),
        List<object?> list => list.Any(element => AreEqual(element, item)),
        TemplateMap map => item is string key && map.ContainsKey(key),
        _ => throw new TemplateFault(line, $"{NameOf(item)} is looked for in {NameOf(container)}", "a list, a mapping, or a text in a text"),
    };

    /// <summary>A text's code points, each as a text.</summary>
    public static List<object?> Characters(string text) => [.. text.EnumerateRunes().Select(rune => (object?)rune.ToString())];

    /// <summary>The elements that a loop visits: a list's, a mapping's keys, a text's characters.</summary>
    public static IReadOnlyList<object?> Elements(int line, object? value) => value switch
    {
        List<object?> list => list,
        TemplateMap map => [.. map.Keys],
        string s => Characters(s),
        Undefined => [],
        _ => throw new TemplateFault(line, $"{NameOf(value)} is gone through", "a list, a mapping or a text"),
    };

    public static object? Arithmetic(TemplateRun run, int line, string symbol, object? a, object? b)
    {
        switch (symbol, a, b)
        {
            case ("+", string s, string t): return run.Text(line, s + t);
            case ("+", List<object?> x, List<object?> y):
                run.Step(line, x.Count + y.Count);
                return new List<object?>([.. x, .. y]);
            case ("*", string s, long n): return Repeat(run, line, s, n);
            case ("*", long n, string s): return Repeat(run, line, s, n);
        }

        if (Whole(a) is { } i && Whole(b) is { } j && symbol != "/") return Integers(line, symbol, i, j);
        if (Number(a) is not { } left || Number(b) is not { } right)
            throw new TemplateFault(line, $"{NameOf(a)} {symbol} {NameOf(b)}", symbol == "+" ? "two numbers, two texts or two lists" : "two numbers");
        if (right == 0 && symbol is "/" or "//" or "%") throw new TemplateFault(line, "a division by zero", "another divisor");
        return symbol switch
        {
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            "/" => left / right,
            "//" => Math.Floor(left / right),
            "%" => left - Math.Floor(left / right) * right,
            _ => Math.Pow(left, right),
        };
    }

    private static long? Whole(object? value) => value switch { long n => n, bool b => b ? 1 : 0, _ => null };

    private static object Integers(int line, string symbol, long a, long b)
    {
        if (b == 0 && symbol is "//" or "%") throw new TemplateFault(line, "a division by zero", "another divisor");
        if (symbol == "**" && (b < 0 || b > 63)) return Math.Pow(a, b);
        BigInteger x = a, y = b;
        var result = symbol switch
        {
            "+" => x + y,
            "-" => x - y,
            "*" => x * y,
            "//" => BigInteger.Divide(x - Modulo(x, y), y),
            "%" => Modulo(x, y),
            _ => BigInteger.Pow(x, (int)b),
        };
        return result >= long.MinValue && result <= long.MaxValue
            ? (long)result
            : throw new TemplateFault(line, "a number is too large", "numbers of 64 bits");
    }

    private static BigInteger Modulo(BigInteger a, BigInteger b) => (a % b + b) % b;

    private static string Repeat(TemplateRun run, int line, string text, long count)
    {
        if (count <= 0) return "";
        if (text.Length * Math.Min(count, 1L << 31) > 1 << 24) throw new TemplateFault(line, "a text grows without end", "fewer repetitions");
        return run.Text(line, new StringBuilder().Insert(0, text, (int)count).ToString());
    }

    private static string Quoted(string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        string escaped = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)
            .Replace("\r", "\\r", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal);
        return quote + (quote == '\'' ? escaped.Replace("'", "\\'", StringComparison.Ordinal) : escaped) + quote;
    }
}
