using System.Diagnostics.CodeAnalysis;

namespace RepNoise.Host.Configuration;

/// <summary>
/// One thing that can be set for a run. The table of settings drives reading YAML, the options of the command line, defaults,
/// help and the effective configuration that is written beside the result, so none of them can disagree.
/// </summary>
internal abstract class Setting(string name, string group, string help)
{
    /// <summary>The YAML key, in snake_case: transformers' name where it has one.</summary>
    public string Name { get; } = name;

    /// <summary>The heading under which help lists it.</summary>
    public string Group { get; } = group;

    public string Help { get; } = help;

    /// <summary>A run without it is refused.</summary>
    public bool Required { get; init; }

    /// <summary>Runs that need no value though it is required; null for none.</summary>
    public Func<TrainingRun, bool>? Unless { get; init; }

    /// <summary>
    /// Only of use where a model is saved. A run that saves none has no such option, and passes over the key in a configuration
    /// file, so that the file of any run can be given to it.
    /// </summary>
    public bool OfSaving { get; init; }

    /// <summary>Runs that go without it though they derive from those that have it, or null.</summary>
    public Type? NotFor { get; init; }

    /// <summary>Names a place that the run writes: it need not exist.</summary>
    public bool IsOutput { get; init; }

    /// <summary>Further names on the command line, in kebab-case without dashes.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>The option as help shows it; the snake_case form is accepted too.</summary>
    public string OptionName => "--" + Name.Replace('_', '-');

    /// <summary>The runs that have it: one command's, or <see cref="TrainingRun"/> for all.</summary>
    protected abstract Type Run { get; }

    public abstract string Placeholder { get; }

    public abstract string Expected { get; }

    /// <summary>The default as text, or null where there is none.</summary>
    public abstract string? Default { get; }

    public virtual bool IsFlag => false;

    public virtual bool IsList => false;

    public virtual bool IsText => false;

    /// <summary>True where runs of this type have the setting.</summary>
    public bool AppliesTo(Type run) => run.IsAssignableTo(Run) && run != NotFor && !(OfSaving && run.IsAssignableTo(typeof(IUnsavedRun)));

    /// <summary>
    /// <paramref name="run"/> with the setting read from <paramref name="texts"/> (one, or several for a list); false, with
    /// the offending text, where a text is not what <see cref="Expected"/> says.
    /// </summary>
    public abstract bool TrySet(
        TrainingRun run, IReadOnlyList<string> texts, [NotNullWhen(true)] out TrainingRun? changed, [NotNullWhen(false)] out string? refused);

    /// <summary>The texts that <see cref="TrySet"/> reads back; none where the run leaves it unset.</summary>
    public abstract IReadOnlyList<string> Get(TrainingRun run);
}

/// <summary>A setting with one value.</summary>
/// <typeparam name="TRun">The runs that have it: one command's, or <see cref="TrainingRun"/> for both.</typeparam>
/// <typeparam name="T">The value's type.</typeparam>
internal sealed class Setting<TRun, T>(
    string name, string group, ValueKind<T> kind, Func<TRun, T> get, Func<TRun, T, TRun> set, T standard, string help)
    : Setting(name, group, help)
    where TRun : TrainingRun
{
    public override string Placeholder => kind.Placeholder;

    public override string Expected => kind.Expected;

    public override string? Default { get; } = kind.Format(standard);

    public override bool IsFlag => kind.IsFlag;

    public override bool IsText => kind.IsText;

    protected override Type Run => typeof(TRun);

    public override bool TrySet(
        TrainingRun run, IReadOnlyList<string> texts, [NotNullWhen(true)] out TrainingRun? changed, [NotNullWhen(false)] out string? refused)
    {
        var accepted = kind.TryParse(texts[^1], out var value);
        changed = accepted ? set((TRun)run, value) : null;
        refused = accepted ? null : texts[^1];
        return accepted;
    }

    public override IReadOnlyList<string> Get(TrainingRun run) => kind.Format(get((TRun)run)) is { } text ? [text] : [];
}

/// <summary>A setting with any number of values: a list in YAML, a repeated option, or one text with commas between them.</summary>
internal sealed class ListSetting<TRun, T>(
    string name, string group, ValueKind<T> kind, Func<TRun, IReadOnlyList<T>> get, Func<TRun, IReadOnlyList<T>, TRun> set, string help)
    : Setting(name, group, help)
    where TRun : TrainingRun
{
    public override string Placeholder => kind.Placeholder;

    public override string Expected => kind.Expected;

    public override string? Default => null;

    public override bool IsList => true;

    public override bool IsText => kind.IsText;

    protected override Type Run => typeof(TRun);

    public override bool TrySet(
        TrainingRun run, IReadOnlyList<string> texts, [NotNullWhen(true)] out TrainingRun? changed, [NotNullWhen(false)] out string? refused)
    {
        var values = new List<T>(texts.Count);
        foreach (var text in texts.SelectMany(text => text.Split(',', StringSplitOptions.TrimEntries)))
        {
            if (!kind.TryParse(text, out var value))
            {
                (changed, refused) = (null, text);
                return false;
            }

            values.Add(value);
        }

        (changed, refused) = (set((TRun)run, values), null);
        return true;
    }

    public override IReadOnlyList<string> Get(TrainingRun run) => [.. get((TRun)run).Select(value => kind.Format(value)!)];
}
