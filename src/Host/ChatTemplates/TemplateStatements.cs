using System.Text;

namespace RepNoise.Host.ChatTemplates;

/// <summary>What a statement asks of the loop around it.</summary>
internal enum Flow
{
    Next,
    Continue,
    Break,
}

/// <summary>A part of a template that writes.</summary>
internal abstract record Statement(int Line)
{
    public abstract Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output);

    /// <summary>Runs statements in order, up to the first that leaves the loop around them.</summary>
    public static Flow RunAll(IReadOnlyList<Statement> statements, TemplateRun run, TemplateScope scope, StringBuilder output)
    {
        foreach (var statement in statements)
        {
            run.Step(statement.Line);
            if (statement.Run(run, scope, output) is not Flow.Next and var flow) return flow;
        }

        return Flow.Next;
    }
}

internal sealed record TextStatement(int Line, string Text) : Statement(Line)
{
    public override Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output)
    {
        output.Append(Text);
        if (output.Length > 1 << 24) throw new TemplateFault(Line, "the output grows without end", "at most 16 million characters");
        return Flow.Next;
    }
}

internal sealed record OutputStatement(int Line, Expression Value) : Statement(Line)
{
    public override Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output)
    {
        output.Append(run.Text(Line, TemplateValues.Text(Value.Value(run, scope))));
        if (output.Length > 1 << 24) throw new TemplateFault(Line, "the output grows without end", "at most 16 million characters");
        return Flow.Next;
    }
}

internal sealed record LoopExit(int Line, Flow Flow) : Statement(Line)
{
    public override Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output) => Flow;
}

internal sealed record IfStatement(int Line, IReadOnlyList<(Expression Condition, IReadOnlyList<Statement> Body)> Branches, IReadOnlyList<Statement> Else)
    : Statement(Line)
{
    public override Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output)
    {
        foreach (var (condition, body) in Branches)
        {
            if (condition.IsTrue(run, scope)) return RunAll(body, run, scope, output);
        }

        return RunAll(Else, run, scope, output);
    }
}

/// <summary>What a value is given to: names, or an attribute of a namespace.</summary>
internal sealed record Target(int Line, IReadOnlyList<string> Names, string? Attribute)
{
    public void Set(TemplateScope scope, object? value)
    {
        if (Attribute is not null)
        {
            if (scope.Find(Names[0]) is not TemplateNamespace space)
                throw new TemplateFault(Line, $"{Names[0]} is no namespace", "namespace() before its attributes are set");
            space.Values[Attribute] = value;
        }
        else if (Names.Count == 1)
        {
            scope[Names[0]] = value;
        }
        else
        {
            var parts = TemplateValues.Elements(Line, value);
            if (parts.Count != Names.Count) throw new TemplateFault(Line, $"{parts.Count} values for {Names.Count} names", "as many values as names");
            for (int i = 0; i < parts.Count; i++) scope[Names[i]] = parts[i];
        }
    }
}

internal sealed record SetStatement(int Line, Target Target, Expression Value) : Statement(Line)
{
    public override Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output)
    {
        Target.Set(scope, Value.Value(run, scope));
        return Flow.Next;
    }
}

/// <summary><c>{% set x %}...{% endset %}</c>: what its body writes.</summary>
internal sealed record SetBlock(int Line, Target Target, IReadOnlyList<Statement> Body) : Statement(Line)
{
    public override Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output)
    {
        var text = new StringBuilder();
        RunAll(Body, run, new TemplateScope(scope), text);
        Target.Set(scope, run.Text(Line, text.ToString()));
        return Flow.Next;
    }
}

internal sealed record ForStatement(
    int Line, Target Target, Expression Items, Expression? Condition, IReadOnlyList<Statement> Body, IReadOnlyList<Statement> Else) : Statement(Line)
{
    public override Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output)
    {
        var items = Chosen(run, scope);
        if (items.Count == 0) return RunAll(Else, run, scope, output);
        for (int i = 0; i < items.Count; i++)
        {
            run.Step(Line);
            var inner = new TemplateScope(scope) { ["loop"] = Loop(items, i) };
            Target.Set(inner, items[i]);
            if (RunAll(Body, run, inner, output) == Flow.Break) break;
        }

        return Flow.Next;
    }

    private IReadOnlyList<object?> Chosen(TemplateRun run, TemplateScope scope)
    {
        var all = TemplateValues.Elements(Line, Items.Value(run, scope));
        if (Condition is null) return all;
        var chosen = new List<object?>();
        foreach (var item in all)
        {
            var inner = new TemplateScope(scope);
            Target.Set(inner, item);
            if (Condition.IsTrue(run, inner)) chosen.Add(item);
        }

        return chosen;
    }

    private static TemplateMap Loop(IReadOnlyList<object?> items, int i)
    {
        var loop = new TemplateMap
        {
            ["index"] = i + 1L,
            ["index0"] = (long)i,
            ["revindex"] = (long)items.Count - i,
            ["revindex0"] = items.Count - i - 1L,
            ["first"] = i == 0,
            ["last"] = i == items.Count - 1,
            ["length"] = (long)items.Count,
        };
        if (i > 0) loop["previtem"] = items[i - 1];
        if (i + 1 < items.Count) loop["nextitem"] = items[i + 1];
        return loop;
    }
}

internal sealed record MacroStatement(int Line, string Name, IReadOnlyList<(string Name, Expression? Default)> Parameters, IReadOnlyList<Statement> Body)
    : Statement(Line)
{
    public override Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output)
    {
        scope[Name] = (TemplateFunction)((inner, line, positional, named) => Call(inner, scope, line, positional, named));
        return Flow.Next;
    }

    private string Call(TemplateRun run, TemplateScope outer, int line, IReadOnlyList<object?> positional, TemplateMap named)
    {
        if (positional.Count > Parameters.Count || named.Keys.Any(name => Parameters.All(parameter => parameter.Name != name)))
            throw new TemplateFault(line, $"macro {Name} got arguments that it does not take", $"({string.Join(", ", Parameters.Select(p => p.Name))})");
        run.Enter(line);
        var scope = new TemplateScope(outer);
        for (int i = 0; i < Parameters.Count; i++)
        {
            var (name, standard) = Parameters[i];
            scope[name] = i < positional.Count ? positional[i] : named.TryGetValue(name, out var given) ? given
                : standard is null ? new Undefined(name) : standard.Value(run, scope);
        }

        var text = new StringBuilder();
        RunAll(Body, run, scope, text);
        run.Leave();
        return run.Text(line, text.ToString());
    }
}

/// <summary>A block that only groups: <c>generation</c>, which marks answers for training.</summary>
internal sealed record GroupStatement(int Line, IReadOnlyList<Statement> Body) : Statement(Line)
{
    public override Flow Run(TemplateRun run, TemplateScope scope, StringBuilder output) => RunAll(Body, run, scope, output);
}
