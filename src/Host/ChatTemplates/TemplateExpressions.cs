using System.Runtime.CompilerServices;

namespace RepNoise.Host.ChatTemplates;

/// <summary>A part of a template that has a value.</summary>
internal abstract record Expression(int Line)
{
    public object? Value(TemplateRun run, TemplateScope scope)
    {
        run.Step(Line);
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return Evaluate(run, scope);
    }

    public bool IsTrue(TemplateRun run, TemplateScope scope) => TemplateValues.IsTrue(Value(run, scope));

    protected abstract object? Evaluate(TemplateRun run, TemplateScope scope);
}

internal sealed record Constant(int Line, object? Content) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope) => Content;
}

internal sealed record NameReference(int Line, string Name) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope) => scope.Find(Name);
}

internal sealed record ListLiteral(int Line, IReadOnlyList<Expression> Items) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope) => new List<object?>([.. Items.Select(item => item.Value(run, scope))]);
}

internal sealed record MapLiteral(int Line, IReadOnlyList<(Expression Key, Expression Value)> Items) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope)
    {
        var map = new TemplateMap();
        foreach (var (key, value) in Items)
        {
            map[key.Value(run, scope) as string ?? throw new TemplateFault(Line, "a mapping's key is no text", "texts as keys")] = value.Value(run, scope);
        }

        return map;
    }
}

internal sealed record Choice(int Line, Expression Condition, Expression Then, Expression? Else) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope) =>
        Condition.IsTrue(run, scope) ? Then.Value(run, scope) : Else is null ? new Undefined("the value of an if without else") : Else.Value(run, scope);
}

internal sealed record Logical(int Line, bool IsAnd, Expression Left, Expression Right) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope)
    {
        var left = Left.Value(run, scope);
        return TemplateValues.IsTrue(left) == IsAnd ? Right.Value(run, scope) : left;
    }
}

internal sealed record Negation(int Line, Expression Operand) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope) => !Operand.IsTrue(run, scope);
}

internal sealed record Sign(int Line, bool IsMinus, Expression Operand) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope) =>
        TemplateValues.Arithmetic(run, Line, IsMinus ? "-" : "+", 0L, Operand.Value(run, scope));
}

internal sealed record Binary(int Line, string Symbol, Expression Left, Expression Right) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope)
    {
        object? left = Left.Value(run, scope), right = Right.Value(run, scope);
        return Symbol == "~"
            ? run.Text(Line, TemplateValues.Text(left) + TemplateValues.Text(right))
            : TemplateValues.Arithmetic(run, Line, Symbol, left, right);
    }
}

/// <summary><c>a &lt; b &lt; c</c>: every neighbouring pair must hold.</summary>
internal sealed record Comparison(int Line, Expression First, IReadOnlyList<(string Symbol, Expression Operand)> Rest) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope)
    {
        var left = First.Value(run, scope);
        foreach (var (symbol, operand) in Rest)
        {
            var right = operand.Value(run, scope);
            if (!Holds(symbol, left, right)) return false;
            left = right;
        }

        return true;
    }

    private bool Holds(string symbol, object? a, object? b) => symbol switch
    {
        "==" => TemplateValues.AreEqual(a, b),
        "!=" => !TemplateValues.AreEqual(a, b),
        "in" => TemplateValues.Contains(Line, b, a),
        "not in" => !TemplateValues.Contains(Line, b, a),
        "<" => TemplateValues.Compare(Line, a, b) < 0,
        "<=" => TemplateValues.Compare(Line, a, b) <= 0,
        ">" => TemplateValues.Compare(Line, a, b) > 0,
        _ => TemplateValues.Compare(Line, a, b) >= 0,
    };
}

/// <summary><c>value.name</c> or <c>value[key]</c>.</summary>
internal sealed record Member(int Line, Expression Target, Expression Key, bool IsAttribute) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope)
    {
        object? target = Target.Value(run, scope), key = Key.Value(run, scope);
        if (IsAttribute && TemplateMethods.Find(target, (string)key!) is { } method) return method;
        return (target, key) switch
        {
            (TemplateMap map, string name) => map.TryGetValue(name, out var value) ? value : new Undefined(name),
            (TemplateNamespace space, string name) => space.Values.TryGetValue(name, out var value) ? value : new Undefined(name),
            (List<object?> list, long index) => Place(index, list.Count) is { } at ? list[at] : new Undefined($"element {index}"),
            (string text, long index) => TemplateValues.Characters(text) is var points && Place(index, points.Count) is { } at ? points[at] : new Undefined($"character {index}"),
            (Undefined or null, _) => throw new TemplateFault(
                Line, $"{TemplateValues.Text(key)} is asked of {TemplateValues.NameOf(target)}", "a value that has it"),
            _ => new Undefined(TemplateValues.Text(key)),
        };
    }

    private static int? Place(long index, int count)
    {
        long place = index < 0 ? index + count : index;
        return place >= 0 && place < count ? (int)place : null;
    }
}

/// <summary><c>value[from:to:step]</c>.</summary>
internal sealed record Slice(int Line, Expression Target, Expression? From, Expression? To, Expression? Step) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope)
    {
        var target = Target.Value(run, scope);
        long? from = Bound(From, run, scope), to = Bound(To, run, scope);
        long step = Bound(Step, run, scope) ?? 1;
        if (step == 0) throw new TemplateFault(Line, "a slice has step 0", "another step");
        return target switch
        {
            string text => TemplateValues.Characters(text) is var points ? string.Concat(Places(points.Count, from, to, step).Select(i => points[i])) : text,
            List<object?> list => new List<object?>([.. Places(list.Count, from, to, step).Select(i => list[i])]),
            _ => throw new TemplateFault(Line, $"a slice of {TemplateValues.NameOf(target)}", "a list or a text"),
        };
    }

    private long? Bound(Expression? bound, TemplateRun run, TemplateScope scope) => bound?.Value(run, scope) switch
    {
        null => null,
        long value => value,
        var other => throw new TemplateFault(Line, $"{TemplateValues.NameOf(other)} bounds a slice", "an integer"),
    };

    private static IEnumerable<int> Places(int count, long? from, long? to, long step)
    {
        long low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
        long start = from is { } f ? Math.Clamp(f < 0 ? f + count : f, low, high) : step > 0 ? low : high;
        long end = to is { } t ? Math.Clamp(t < 0 ? t + count : t, low, high) : step > 0 ? high : low;
        for (long i = start; step > 0 ? i < end : i > end; i += step) yield return (int)i;
    }
}

/// <summary>Arguments of a call, a filter or a test.</summary>
internal sealed record Arguments(IReadOnlyList<Expression> Positional, IReadOnlyList<(string Name, Expression Value)> Named)
{
    public static Arguments None { get; } = new([], []);

    public (List<object?> Positional, TemplateMap Named) Values(TemplateRun run, TemplateScope scope)
    {
        var named = new TemplateMap();
        foreach (var (name, value) in Named) named[name] = value.Value(run, scope);
        return ([.. Positional.Select(value => value.Value(run, scope))], named);
    }
}

internal sealed record Call(int Line, Expression Target, Arguments Arguments) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope)
    {
        var target = Target.Value(run, scope);
        var (positional, named) = Arguments.Values(run, scope);
        if (target is TemplateFunction function) return function(run, Line, positional, named);
        throw Target is Member { IsAttribute: true, Key: Constant { Content: string method } }
            ? TemplateFault.Unsupported(Line, $"method {method}()")
            : new TemplateFault(Line, $"{TemplateValues.NameOf(target)} is called", "a macro, a function or a method");
    }
}

internal sealed record Filter(int Line, Expression Target, string Name, Arguments Arguments) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope)
    {
        var (positional, named) = Arguments.Values(run, scope);
        return TemplateFilters.Apply(run, Line, Name, Target.Value(run, scope), positional, named);
    }
}

internal sealed record Test(int Line, Expression Target, string Name, Arguments Arguments, bool IsNegated) : Expression(Line)
{
    protected override object? Evaluate(TemplateRun run, TemplateScope scope) =>
        TemplateTests.Holds(Line, Name, Target.Value(run, scope), Arguments.Values(run, scope).Positional) != IsNegated;
}
