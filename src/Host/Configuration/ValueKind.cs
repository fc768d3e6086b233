namespace RepNoise.Host.Configuration;

/// <summary>
/// How one kind of value is written: in a YAML file, on the command line and in help. Every reader and printer of values
/// goes through here, with the invariant culture, so a value means the same wherever it is given.
/// </summary>
/// <param name="placeholder">The word that stands for the value in help: <c>number</c>, <c>path</c>.</param>
/// <param name="expected">What is accepted, as a noun phrase for messages: <c>a number above 0</c>.</param>
internal abstract class ValueKind<T>(string placeholder, string expected)
{
    public string Placeholder { get; } = placeholder;

    public string Expected { get; } = expected;

    /// <summary>True where the bare option means <c>true</c>.</summary>
    public virtual bool IsFlag => false;

    /// <summary>Reads <paramref name="text"/>; false where it is not what <see cref="Expected"/> says.</summary>
    public abstract bool TryParse(string text, out T value);

    /// <summary>The text that <see cref="TryParse"/> reads back to the same value, or null where the value is absent.</summary>
    public abstract string? Format(T value);

    /// <summary>True where the text must be quoted in YAML so that it stays text.</summary>
    public virtual bool IsText => false;
}
