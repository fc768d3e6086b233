using System.Text.Json;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// The safetensors files of a model folder, opened: one <c>model.safetensors</c>, or the shards that
/// <c>model.safetensors.index.json</c> names (the single file wins where both exist, as in transformers).
/// </summary>
internal sealed class WeightFiles : IDisposable
{
    public const string SingleName = "model.safetensors";
    public const string IndexName = "model.safetensors.index.json";

    private readonly Dictionary<string, SafetensorsFile> byTensor = [];

    private WeightFiles(IReadOnlyList<(string, SafetensorsFile)> files, byte[]? index)
    {
        Files = files;
        Index = index;
    }

    /// <summary>The files, sorted by name.</summary>
    public IReadOnlyList<(string Name, SafetensorsFile File)> Files { get; }

    /// <summary>The index as it stands in the folder, or null where there is a single file.</summary>
    public byte[]? Index { get; }

    /// <summary>Every tensor of every file.</summary>
    public IEnumerable<TensorEntry> Tensors => Files.SelectMany(f => f.File.Tensors);

    /// <summary>The file that holds a tensor, or null.</summary>
    public SafetensorsFile? Find(string tensor) => byTensor.GetValueOrDefault(tensor);

    public static WeightFiles Open(FolderFiles folder)
    {
        if (folder.Exists(SingleName))
        {
            return OpenAll(folder, [SingleName], null, null);
        }

        if (folder.Exists(IndexName))
        {
            string path = folder.Resolve(IndexName);
            byte[] index = JsonFile.ReadBytes(path);
            var map = ReadWeightMap(index, path);
            return OpenAll(folder, [.. map.Values.Distinct().Order(StringComparer.Ordinal)], index, map);
        }

        throw NoWeights(folder);
    }

    public void Dispose()
    {
        foreach (var (_, file) in Files)
        {
            file.Dispose();
        }
    }

    private static WeightFiles OpenAll(FolderFiles folder, string[] names, byte[]? index, Dictionary<string, string>? map)
    {
        var files = new List<(string, SafetensorsFile)>();
        var result = new WeightFiles(files, index);
        try
        {
            foreach (string name in names)
            {
                string indexPath = Path.Combine(folder.Folder, IndexName), path = folder.ResolveListed(name, indexPath);
                if (!folder.Exists(name))
                {
                    throw new ModelFolderException(
                        ModelFolderError.MissingShard, indexPath, $"names {Quoted.Name(name)}, which is not in the folder",
                        "every shard beside the index", "download the missing file");
                }

                files.Add((name, SafetensorsFile.Open(path)));
            }

            result.IndexTensors(map);
            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    private void IndexTensors(Dictionary<string, string>? map)
    {
        foreach (var (name, file) in Files)
        {
            foreach (var tensor in file.Tensors)
            {
                if (!byTensor.TryAdd(tensor.Name, file))
                {
                    throw Conflict(
                        file.Path, tensor.Name, $"holds {Quoted.Name(tensor.Name)}, which is also in {byTensor[tensor.Name].Path}");
                }

                if (map is not null && map.TryGetValue(tensor.Name, out string? listed) && listed != name)
                {
                    throw Conflict(
                        file.Path, tensor.Name, $"holds {Quoted.Name(tensor.Name)}, which the index places in {Quoted.Name(listed)}");
                }
            }
        }

        foreach (var (tensor, shard) in map ?? [])
        {
            if (!byTensor.ContainsKey(tensor))
            {
                throw Conflict(
                    Files.Single(f => f.Name == shard).File.Path, tensor, $"lacks {Quoted.Name(tensor)}, which the index places there");
            }
        }
    }

    private static ModelFolderException Conflict(string path, string tensor, string problem) => new(
        ModelFolderError.ShardConflict, path, problem, "shards that agree with the index",
        "download the model again: its files belong to different versions", tensor);

    /// <summary>The index's map from tensors to files.</summary>
    /// <exception cref="ModelFolderException">It has none, or one that is malformed.</exception>
    /// <exception cref="ConfigException">It is not JSON.</exception>
    internal static Dictionary<string, string> ReadWeightMap(byte[] index, string path)
    {
        var root = JsonFile.Parse(index, path);
        if (!root.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object || !map.EnumerateObject().Any())
        {
            throw BadIndex("has no weight_map", "an object weight_map from tensor names to file names");
        }

        var result = new Dictionary<string, string>();
        foreach (var property in map.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
            {
                throw BadIndex($"maps {Quoted.Name(property.Name)} to {Quoted.Plain(property.Value.GetRawText())}", "a file name");
            }

            try
            {
                result.Add(property.Name, property.Value.GetString()!);
            }
            catch (InvalidOperationException)
            {
                throw BadIndex("holds a string with an unpaired surrogate", "well-formed text");
            }
        }

        return result;

        ModelFolderException BadIndex(string problem, string expected) => new(
            ModelFolderError.BadIndex, path, problem, expected, "download the index again");
    }

    private static ModelFolderException NoWeights(FolderFiles folder)
    {
        const string Expected = $"{SingleName}, or {IndexName} and its shards";
        string? other = folder.Names.FirstOrDefault(name => OtherFormats.IsNamedSo(name) && name != "training_args.bin");
        if (other is not null)
        {
            return new ModelFolderException(
                ModelFolderError.OtherWeightFormat, folder.Folder,
                $"the weights are in {Quoted.Name(other)}, a format that is not read here", Expected, OtherFormats.Conversion);
        }

        string? stray = folder.Names.FirstOrDefault(name => name.EndsWith(".safetensors", StringComparison.Ordinal));
        return new ModelFolderException(
            ModelFolderError.NoWeights, folder.Folder,
            stray is null ? "the folder has no weights" : $"the folder has {Quoted.Name(stray)} but no index",
            Expected, "download all files of the model");
    }
}
