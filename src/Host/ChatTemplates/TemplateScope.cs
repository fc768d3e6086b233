namespace RepNoise.Host.ChatTemplates;

/// <summary>A name that has no value; it prints as nothing and is false, and everything else about it is an error.</summary>
internal sealed record Undefined(string Name);

/// <summary>A mapping, in the order of its keys' arrival.</summary>
internal sealed class TemplateMap : Dictionary<string, object?>
{
    public TemplateMap()
        : base(StringComparer.Ordinal)
    {
    }
}

/// <summary>What <c>namespace()</c> makes: attributes that can be set from inner scopes.</summary>
internal sealed class TemplateNamespace
{
    public TemplateMap Values { get; } = [];
}

/// <summary>Something that can be called.</summary>
internal delegate object? TemplateFunction(TemplateRun run, int line, IReadOnlyList<object?> positional, TemplateMap named);

/// <summary>The variables of a scope; inner scopes see outer ones and do not change them.</summary>
internal sealed class TemplateScope(TemplateScope? outer)
{
    private readonly Dictionary<string, object?> values = new(StringComparer.Ordinal);

    public object? this[string name]
    {
        set => values[name] = value;
    }

    public object? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope.values.TryGetValue(name, out var value)) return value;
        }

        return new Undefined(name);
    }

    private TemplateScope? Outer => outer;
}

/// <summary>One rendering: its output and what it may still use, so that no template runs for ever or fills the memory.</summary>
internal sealed class TemplateRun
{
    /// <summary>Evaluations of a rendering; a chat of a hundred turns takes some ten thousand.</summary>
    private const int MostSteps = 2_000_000;

    /// <summary>Characters of the output or of any text.</summary>
    private const int LongestText = 1 << 24;

    private const int DeepestCall = 64;

    private int steps;
    private int depth;

    /// <summary>Counts an evaluation.</summary>
    public void Step(int line, int count = 1)
    {
        steps += count;
        if (steps is < 0 or > MostSteps)
            throw new TemplateFault(line, "the template does not come to an end", $"at most {MostSteps} evaluations");
    }

    /// <summary>A text that is not too long.</summary>
    public string Text(int line, string text)
    {
        if (text.Length > LongestText) throw new TemplateFault(line, "a text grows without end", $"at most {LongestText} characters");
        Step(line, text.Length / 1024);
        return text;
    }

    /// <summary>Enters a macro; the caller leaves it.</summary>
    public void Enter(int line)
    {
        if (++depth > DeepestCall) throw new TemplateFault(line, "macros call each other without end", $"at most {DeepestCall} calls inside each other");
    }

    public void Leave() => depth--;
}
