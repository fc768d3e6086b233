using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Dumps;

namespace RepNoise.Host.Comparison;

/// <summary>A tensor of a set and the file that holds it.</summary>
/// <param name="Key">Its name, with the file's before it where a set has several files that may repeat a name.</param>
/// <param name="Entry">Its place in the file.</param>
/// <param name="File">The file, open.</param>
internal sealed record ComparedTensor(string Key, TensorEntry Entry, SafetensorsFile File);

/// <summary>The tensors of a dump, a model folder or a safetensors file, in their natural order.</summary>
internal sealed class TensorSet : IDisposable
{
    private readonly List<IDisposable> owned = [];
    private readonly Dictionary<string, ComparedTensor> byKey = new(StringComparer.Ordinal);

    private TensorSet(string path) => Path = path;

    public string Path { get; }

    /// <summary>In the order of computation for a dump, of the architecture for a model folder, of the file otherwise.</summary>
    public List<ComparedTensor> Tensors { get; } = [];

    /// <exception cref="InputException">The path is none of the three, or what it holds is malformed.</exception>
    public static TensorSet Open(string path)
    {
        var set = new TensorSet(path);
        try
        {
            if (File.Exists(path)) set.AddFile(path, "");
            else if (File.Exists(System.IO.Path.Combine(path, DumpIndex.FileName))) set.AddDump(path);
            else if (File.Exists(System.IO.Path.Combine(path, ModelFolder.ConfigName))) set.AddModel(path);
            else throw NothingHere(path);
            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of this key, or null.</summary>
    public ComparedTensor? Find(string key) => byKey.GetValueOrDefault(key);

    public void Dispose()
    {
        foreach (var item in owned) item.Dispose();
    }

    private void AddFile(string path, string prefix)
    {
        var file = SafetensorsFile.Open(path);
        owned.Add(file);
        foreach (var entry in file.Tensors) Add(new ComparedTensor(prefix + entry.Name, entry, file));
    }

    private void AddDump(string path)
    {
        const string Extension = ".safetensors";
        foreach (string file in DumpIndex.Files(path))
            AddFile(System.IO.Path.Combine(path, file), (file.EndsWith(Extension, StringComparison.Ordinal) ? file[..^Extension.Length] : file) + "/");
    }

    /// <summary>Parameters in the order of the architecture, then what the files hold beside them.</summary>
    private void AddModel(string path)
    {
        var folder = ModelFolder.Open(path);
        owned.Add(folder);
        var others = folder.Weights.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal);
        foreach (string name in folder.Parameters.Select(parameter => parameter.Name).Concat(others).Distinct())
        {
            var file = folder.Weights.Find(name)!;
            Add(new ComparedTensor(name, file[name], file));
        }
    }

    private void Add(ComparedTensor tensor)
    {
        Tensors.Add(tensor);
        byKey.Add(tensor.Key, tensor);
    }

    private static InputException NothingHere(string path) => new(
        path, Directory.Exists(path) ? $"the folder has neither {DumpIndex.FileName} nor {ModelFolder.ConfigName}" : "there is no such file or folder",
        "a folder that --dump-tensors wrote, a model folder, or a safetensors file", "check the path");
}
