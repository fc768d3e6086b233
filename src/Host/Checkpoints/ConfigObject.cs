using System.Text.Json;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Typed access to a JSON object with errors that name file, key and value. For every getter an absent key gives the
/// fallback; null is a value of its own, taken only by the getters that return one.
/// </summary>
internal sealed class ConfigObject(JsonElement json, string path, string prefix = "")
{
    public string Path => path;

    public IEnumerable<string> Keys => json.EnumerateObject().Select(property => property.Name);

    /// <summary>True where the key is present and not null.</summary>
    public bool Has(string key) => Has(key, out _);

    public int Int(string key, int fallback, int min, int max) =>
        IntOrNull(key, fallback, min, max) ?? throw Wrong(key, $"an integer from {min} to {max}");

    public int? IntOrNull(string key, int? fallback, int min, int max)
    {
        if (!TryGet(key, out var value))
        {
            return fallback;
        }

        return value.ValueKind == JsonValueKind.Null ? null : ToInt(key, value, min, max);
    }

    /// <summary>A finite number from <paramref name="min"/> to <paramref name="max"/>.</summary>
    public double Number(string key, double? fallback, double min, double max)
    {
        if (!TryGet(key, out var value) || (value.ValueKind == JsonValueKind.Null && fallback is null))
        {
            return fallback ?? throw Wrong(key, $"a number from {min} to {max}");
        }

        bool valid = value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= min && number <= max;
        return valid ? value.GetDouble() : throw Wrong(key, $"a number from {min} to {max}");
    }

    public bool Bool(string key, bool fallback) => !TryGet(key, out var value)
        ? fallback
        : value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(key, "true or false"),
        };

    public string? String(string key)
    {
        if (!Has(key, out var value))
        {
            return null;
        }

        return Text(value) ?? throw Wrong(key, "a string");
    }

    /// <summary>A list of strings, or null where the key is absent or null.</summary>
    public IReadOnlyList<string>? Strings(string key)
    {
        if (!Has(key, out var value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(item => Text(item) ?? throw Wrong(key, "a list of strings"))]
            : throw Wrong(key, "a list of strings");
    }

    /// <summary>An integer or a list of integers as a list; empty for null.</summary>
    public IReadOnlyList<int> Ints(string key, IReadOnlyList<int> fallback, int min, int max)
    {
        if (!TryGet(key, out var value))
        {
            return fallback;
        }

        return value.ValueKind switch
        {
            JsonValueKind.Null => [],
            JsonValueKind.Array => [.. value.EnumerateArray().Select(item => ToInt(key, item, min, max))],
            _ => [ToInt(key, value, min, max)],
        };
    }

    /// <summary>A nested object, or null where the key is absent or null.</summary>
    public ConfigObject? Object(string key)
    {
        if (!Has(key, out var value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Object ? new ConfigObject(value, path, $"{prefix}{key}.") : throw Wrong(key, "an object");
    }

    /// <summary>An error about a key's value, or its absence.</summary>
    public ConfigException Wrong(string key, string expected, string? remedy = null)
    {
        string? text = TryGet(key, out var value) ? Quoted.Plain(value.GetRawText()) : null;
        remedy ??= text is null ? "add it to the file" : "correct it in the file";
        return new ConfigException(path, $"{prefix}{key} is {text ?? "missing"}", expected, remedy, prefix + key, text);
    }

    private bool TryGet(string key, out JsonElement value) => json.TryGetProperty(key, out value);

    private bool Has(string key, out JsonElement value) => TryGet(key, out value) && value.ValueKind != JsonValueKind.Null;

    private int ToInt(string key, JsonElement value, int min, int max) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= min && number <= max
            ? number
            : throw Wrong(key, $"an integer from {min} to {max}");

    /// <summary>The string, or null where the element is none or holds an unpaired surrogate escape.</summary>
    private static string? Text(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
