using System.Text.Json;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Dumps;

/// <summary>
/// <c>tensors.json</c> in a dump's folder: the files in the order in which they were written, each with its step and its tensors in
/// the order in which they were computed.
/// </summary>
internal sealed class DumpIndex(string folder, string device)
{
    public const string FileName = "tensors.json";

    private const int Version = 1;
    private static readonly JsonWriterOptions Indented = new() { Indented = true };
    private readonly List<(int Step, string Stretch, string File, TensorSpec[] Tensors)> files = [];

    public int TensorCount { get; private set; }

    /// <summary>Notes a finished file and writes the index anew.</summary>
    public void Add(int step, string stretch, string file, IReadOnlyList<TensorSpec> tensors)
    {
        files.Add((step, stretch, file, [.. tensors]));
        TensorCount += tensors.Count;
        using var stream = new FileStream(Path.Combine(folder, FileName), FileMode.Create, FileAccess.Write, FileShare.Read);
        using var json = new Utf8JsonWriter(stream, Indented);
        json.WriteStartObject();
        json.WriteNumber("repnoise_tensors", Version);
        json.WriteString("device", device);
        json.WriteStartArray("files");
        foreach (var entry in files) Write(json, entry.Step, entry.Stretch, entry.File, entry.Tensors);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The files that the index of a dump names, in its order: path relative to the folder.</summary>
    /// <exception cref="ConfigException">The index is malformed.</exception>
    /// <exception cref="ModelFolderException">It names a file outside the folder.</exception>
    public static IReadOnlyList<string> Files(string folder)
    {
        string path = Path.Combine(folder, FileName);
        var root = JsonFile.Parse(JsonFile.ReadBytes(path), path);
        if (!root.TryGetProperty("repnoise_tensors", out var version) || !version.TryGetInt32(out int number) || number != Version)
            throw new ConfigException(path, "it is not the index of a dump, or of another version", $"repnoise_tensors: {Version}", "dump again with this program");
        if (!root.TryGetProperty("files", out var list) || list.ValueKind != JsonValueKind.Array)
            throw new ConfigException(path, "it has no list of files", "an array files", "dump again");
        return [.. list.EnumerateArray().Select(file => FileOf(file, folder, path))];
    }

    private static void Write(Utf8JsonWriter json, int step, string stretch, string file, TensorSpec[] tensors)
    {
        json.WriteStartObject();
        json.WriteNumber("step", step);
        json.WriteString("stretch", stretch);
        json.WriteString("file", file);
        json.WriteStartArray("tensors");
        foreach (var tensor in tensors)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Name);
            json.WriteString("dtype", tensor.DType.Name());
            json.WriteStartArray("shape");
            foreach (long dimension in tensor.Shape) json.WriteNumberValue(dimension);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string FileOf(JsonElement file, string folder, string path)
    {
        if (file.ValueKind != JsonValueKind.Object || !file.TryGetProperty("file", out var name) || name.ValueKind != JsonValueKind.String
            || name.GetString() is not { } text || text.Split('/') is not [var step, var leaf])
            throw new ConfigException(path, $"it lists {Quoted.Plain(file.GetRawText())}", "files as step-000001/NAME.safetensors", "dump again");
        var stepFolder = new FolderFiles(Path.Combine(folder, step is "" or "." or ".." ? throw Outside(path, text) : step));
        stepFolder.ResolveListed(leaf, path);
        return text;
    }

    private static InputException Outside(string path, string name) =>
        new(path, $"it lists {Quoted.Name(name)}", "files below its own folder", "dump again");
}
