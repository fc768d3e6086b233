using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Checkpoints;

/// <summary>A JSON file of a model folder cannot be used. Where one key is at fault, it carries that key and its value.</summary>
public sealed class ConfigException : InputException
{
    internal ConfigException(
        string path, string problem, string expected, string remedy, string? key = null, string? value = null, Exception? inner = null)
        : base(path, problem, expected, remedy, inner)
    {
        Path = path;
        Key = key;
        Value = value;
    }

    public string Path { get; }

    /// <summary>The key at fault, with its parents (<c>rope_scaling.factor</c>), or null where the whole file is.</summary>
    public string? Key { get; }

    /// <summary>The key's value as JSON text, cut where it is long; null where the key is absent.</summary>
    public string? Value { get; }
}

/// <summary>Reads the small JSON files of a model folder, bounded in size and depth and without duplicate keys.</summary>
internal static class JsonFile
{
    /// <summary>Indexes of the largest models stay under 10 MB.</summary>
    private const long MaxLength = 64 << 20;

    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 32 };

    /// <exception cref="ConfigException">The file cannot be read or is implausibly large.</exception>
    public static byte[] ReadBytes(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            if (stream.Length > MaxLength)
            {
                throw new ConfigException(
                    path, $"the file has {stream.Length} bytes", $"at most {MaxLength}", "check that it is the file its name says");
            }

            byte[] bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException(
                path, $"cannot be read ({Quoted.Plain(e.Message)})", "a readable file", "check the path and its permissions", inner: e);
        }
    }

    /// <summary>Parses an object; the result does not need to be disposed.</summary>
    /// <exception cref="ConfigException">Not well-formed JSON, nested too deep, a key twice in one object, or not an object.</exception>
    public static JsonElement Parse(ReadOnlyMemory<byte> json, string path)
    {
        if (json.Span.StartsWith("\uFEFF"u8))
        {
            throw new ConfigException(
                path, "the file begins with a byte order mark", "plain UTF-8", "save it as UTF-8 without byte order mark");
        }

        if (!Utf8.IsValid(json.Span))
        {
            throw new ConfigException(path, "the file is not valid UTF-8", "JSON in UTF-8", "save it as UTF-8");
        }

        try
        {
            using var document = JsonDocument.Parse(json, Options);
            var root = document.RootElement.Clone();
            return root.ValueKind == JsonValueKind.Object
                ? root
                : throw new ConfigException(
                    path, $"the file holds a JSON {root.ValueKind.ToString().ToLowerInvariant()}", "a JSON object",
                    "check that it is the file its name says");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ConfigException(
                path, $"the file is not well-formed JSON{Where(e)}: {Quoted.Plain(e.Message.Split(" LineNumber:")[0])}",
                "a JSON object with every key once",
                "correct it there, or download the file again", inner: e);
        }
    }

    /// <summary>The place of a syntax error as editors count it.</summary>
    private static string Where(Exception error) => error is JsonException { LineNumber: { } line, BytePositionInLine: { } column }
        ? string.Create(CultureInfo.InvariantCulture, $", line {line + 1}, byte {column + 1}")
        : "";
}
