using System.Buffers;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Resuming;

/// <summary>
/// <c>manifest.json</c>: length and SHA-256 of every file of a checkpoint. It is written last, and in one form only, so that any
/// changed bit of it or of a file it lists is found. A file that it does not list is nobody's business.
/// </summary>
internal static class CheckpointManifest
{
    public const string FileName = "manifest.json";
    private const int Format = 1;
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal sealed record Entry(string Name, long Bytes, string Sha256);

    /// <summary>Lists every file of a folder; the manifest itself is flushed to disk.</summary>
    public static void Write(string folder, int step)
    {
        var entries = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/'))
            .Order(StringComparer.Ordinal)
            .Select(name => Measure(folder, name));
        Durable.Write(Path.Combine(folder, FileName), Text(step, [.. entries]));
    }

    /// <summary>Compares every file with the manifest.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="step">The step that its name tells.</param>
    /// <returns>What is wrong, as a clause that begins with a file's name; null where nothing is.</returns>
    public static string? Problem(string folder, int step)
    {
        try
        {
            var files = new FolderFiles(folder);
            if (!files.Exists(FileName)) return $"{FileName} is missing";
            byte[] bytes = JsonFile.ReadBytes(files.Resolve(FileName));
            if (Parse(bytes, Path.Combine(folder, FileName)) is not var (told, entries) || !bytes.AsSpan().SequenceEqual(Text(told, entries)))
                return $"{FileName} is not as it was written";
            if (told != step) return $"{FileName} is of step {told}";
            return entries.Select(entry => Problem(folder, entry)).FirstOrDefault(problem => problem is not null);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return $"it cannot be read ({Quoted.Plain(error.Message)})";
        }
        catch (ConfigException)
        {
            return $"{FileName} is not as it was written";
        }
        catch (ModelFolderException error)
        {
            return error.Problem;
        }
    }

    private static string? Problem(string folder, Entry entry)
    {
        string name = Quoted.Plain(entry.Name), path = Path.Combine(folder, entry.Name);
        if (entry.Name.Split('/').Any(part => part is "" or "." or "..") || Path.IsPathRooted(entry.Name)) return $"{FileName} names {name}";
        var file = new FileInfo(path);
        if (file.LinkTarget is not null) return $"{name} is a link";
        if (!file.Exists) return $"{name} is missing";
        if (file.Length != entry.Bytes) return $"{name} has {file.Length} bytes, not {entry.Bytes}";
        return Hash(path) == entry.Sha256 ? null : $"{name} is not as it was written (its SHA-256 differs)";
    }

    private static Entry Measure(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        return new Entry(name, new FileInfo(path).Length, Hash(path));
    }

    private static string Hash(string path) => FileHash.Of(path);

    /// <summary>Reads a manifest; null where it has not the form of one.</summary>
    internal static (int Step, Entry[] Entries)? Parse(byte[] bytes, string path)
    {
        var root = JsonFile.Parse(bytes, path);
        if (!root.TryGetProperty("format", out var format) || !IsInteger(format, Format)
            || !root.TryGetProperty("step", out var step) || step.ValueKind != JsonValueKind.Number || !step.TryGetInt32(out int told)
            || !root.TryGetProperty("files", out var files) || files.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        var entries = new List<Entry>();
        foreach (var file in files.EnumerateObject())
        {
            if (file.Value.ValueKind != JsonValueKind.Object
                || !file.Value.TryGetProperty("bytes", out var length) || length.ValueKind != JsonValueKind.Number || !length.TryGetInt64(out long count)
                || !file.Value.TryGetProperty("sha256", out var sum) || sum.ValueKind != JsonValueKind.String)
            {
                return null;
            }

            entries.Add(new Entry(file.Name, count, sum.GetString()!));
        }

        return (told, [.. entries]);
    }

    private static bool IsInteger(JsonElement element, int value) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int found) && found == value;

    private static byte[] Text(int step, IReadOnlyList<Entry> entries)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Indented))
        {
            json.WriteStartObject();
            json.WriteNumber("format", Format);
            json.WriteNumber("step", step);
            json.WriteStartObject("files");
            foreach (var entry in entries)
            {
                json.WriteStartObject(entry.Name);
                json.WriteNumber("bytes", entry.Bytes);
                json.WriteString("sha256", entry.Sha256);
                json.WriteEndObject();
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }
}

/// <summary>SHA-256 of files, in lower-case hexadecimal.</summary>
internal static class FileHash
{
    public static string Of(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1 << 20);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
