using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Commands;

/// <summary>An option of a command that has no configuration file, with its kind of value and its default.</summary>
internal sealed class ValueOption<T>
{
    private readonly ValueKind<T> kind;
    private readonly T standard;

    public ValueOption(string name, ValueKind<T> kind, T standard, string help, string group = "Options")
    {
        this.kind = kind;
        this.standard = standard;
        var text = kind.Format(standard);
        Symbol = kind.IsFlag
            ? new FlagOption(name, group) { Description = help, Default = text, ShownNames = [name] }
            : new TextOption(name, group, kind.Placeholder) { Description = help, Default = text, ShownNames = [name] };
        if (SnakeCase(name) is var snake && snake != name)
        {
            Symbol.Aliases.Add(snake);
        }
    }

    /// <summary>What the parser knows it as.</summary>
    public Option Symbol { get; }

    /// <summary>The value given, or the default.</summary>
    /// <exception cref="UsageException">The value is of the wrong kind, or there are several.</exception>
    public T Read(ParseResult line) => ReadAll(line) switch
    {
        [] => standard,
        [var value] => value,
        _ => throw new UsageException(Symbol.Name, "given more than once", "one value", "keep the one you mean"),
    };

    /// <summary>True where the line gives it.</summary>
    public bool IsGiven(ParseResult line) => line.GetResult(Symbol) is { Implicit: false };

    /// <summary>All values given, in their order.</summary>
    /// <exception cref="UsageException">A value is of the wrong kind.</exception>
    public IReadOnlyList<T> ReadAll(ParseResult line) =>
        line.GetResult(Symbol) is { Implicit: false } given ? [.. OptionTexts.Of(given).Select(Parse)] : [];

    private T Parse(string text) => kind.TryParse(text, out var value)
        ? value
        : throw new UsageException(Symbol.Name, $"found \"{text}\"", kind.Expected, "correct the value");

    internal static string SnakeCase(string option) => "--" + option[2..].Replace('-', '_');
}
