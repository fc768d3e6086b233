using System.CommandLine;

namespace RepNoise.Host.Commands;

/// <summary>What help says of an option beyond its description.</summary>
internal interface IDocumentedOption
{
    /// <summary>The heading under which help lists it.</summary>
    string Group { get; }

    /// <summary>The word for its value, or null for a flag.</summary>
    string? Placeholder { get; }

    /// <summary>The default as text, or null where there is none.</summary>
    string? Default { get; }

    /// <summary>Names that help shows; the others are accepted silently.</summary>
    IReadOnlyList<string> ShownNames { get; }
}

/// <summary>An option with a value. It keeps the text as typed: reading values is <c>Configuration.Values</c>' work.</summary>
internal sealed class TextOption : Option<string[]>, IDocumentedOption
{
    public TextOption(string name, string group, string? placeholder)
        : base(name)
    {
        Group = group;
        Placeholder = placeholder;
        Arity = ArgumentArity.OneOrMore;
    }

    public string Group { get; }

    public string? Placeholder { get; }

    public string? Default { get; init; }

    public IReadOnlyList<string> ShownNames { get; init; } = [];
}

/// <summary>An option that may stand alone for <c>true</c>.</summary>
internal sealed class FlagOption : Option<bool>, IDocumentedOption
{
    public FlagOption(string name, string group)
        : base(name)
    {
        Group = group;
        Arity = ArgumentArity.ZeroOrOne;

        // Anything is let through here, so that a wrong value gets our message and not the library's.
        CustomParser = _ => true;
    }

    public string Group { get; }

    public string? Placeholder => Default == "true" ? "true|false" : null;

    public string? Default { get; init; }

    public IReadOnlyList<string> ShownNames { get; init; } = [];
}
