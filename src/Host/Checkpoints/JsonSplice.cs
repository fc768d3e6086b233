using System.Text;
using System.Text.Json;

namespace RepNoise.Host.Checkpoints;

/// <summary>Changes single values in JSON text and leaves every other byte as it stands: order, spacing, unknown keys.</summary>
internal static class JsonSplice
{
    /// <summary>Replaces the value at <paramref name="path"/>; the text comes back unchanged where there is none.</summary>
    /// <param name="json">A well-formed object without duplicate keys.</param>
    /// <param name="path">Keys from the root down.</param>
    /// <param name="value">JSON text.</param>
    public static byte[] Replace(byte[] json, ReadOnlySpan<string> path, string value)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!reader.ValueTextEquals(path[0]))
            {
                reader.Skip();
                continue;
            }

            reader.Read();
            if (path.Length > 1)
            {
                path = path[1..];
                continue;
            }

            int start = (int)reader.TokenStartIndex;
            reader.Skip();
            return [.. json[..start], .. Encoding.UTF8.GetBytes(value), .. json[(int)reader.BytesConsumed..]];
        }

        return json;
    }

    /// <summary>Adds a first key to an object that has others.</summary>
    public static byte[] Prepend(byte[] json, string key, string value)
    {
        int inside = Array.IndexOf(json, (byte)'{') + 1;
        return [.. json[..inside], .. Encoding.UTF8.GetBytes($"\n  \"{key}\": {value},"), .. json[inside..]];
    }
}
