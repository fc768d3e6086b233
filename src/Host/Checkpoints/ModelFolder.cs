using System.Numerics.Tensors;
using RepNoise.Host.Model;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// A Hugging Face model folder, opened for reading: config.json understood, weights mapped and checked against it. Once open,
/// reading a parameter can fail only on NaN or infinity. Weights stay on disk until they are read, in pieces if need be. A folder of low-rank
/// adapters (<see cref="PeftAdapter"/>) opens as the model folder that it names, with the adapters merged into what is read.
/// </summary>
public sealed class ModelFolder : IDisposable
{
    internal const string ConfigName = "config.json";
    private const string GenerationConfigName = "generation_config.json";

    private readonly Dictionary<string, ParameterSpec> byName;
    private PeftAdapter? adapter;

    private ModelFolder(FolderFiles files, byte[] configJson, ModelConfig config, GenerationConfig generation, WeightFiles weights)
    {
        Files = files;
        ConfigJson = configJson;
        Config = config;
        Generation = generation;
        Weights = weights;
        Parameters = ParameterSpecs.Of(config);
        byName = Parameters.ToDictionary(p => p.Name);
    }

    /// <summary>The folder, as given.</summary>
    public string FullPath => Files.Folder;

    public ModelConfig Config { get; }

    public GenerationConfig Generation { get; }

    /// <summary>The trainable tensors in the order of transformers' state_dict; a tied head is not among them.</summary>
    public IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <summary>Bytes of all tensors in the weight files.</summary>
    public long TotalBytes => Weights.Tensors.Sum(t => t.ByteLength);

    internal FolderFiles Files { get; }

    internal byte[] ConfigJson { get; }

    internal WeightFiles Weights { get; }

    /// <summary>Opens a folder and checks it whole, short of the weights' values.</summary>
    /// <exception cref="ModelFolderException">The folder is incomplete, or its weights do not fit its config.json.</exception>
    /// <exception cref="ConfigException">config.json, generation_config.json or the index is malformed or asks for something
    /// unsupported.</exception>
    /// <exception cref="SafetensorsException">A weight file is malformed.</exception>
    public static ModelFolder Open(string path)
    {
        if (!Directory.Exists(path))
        {
            if (File.Exists(path) && OtherFormats.IsNamedSo(path))
            {
                throw new ModelFolderException(
                    ModelFolderError.OtherWeightFormat, path, "is a file of weights in a format that is not read here", "a Hugging Face model folder with safetensors",
                    OtherFormats.Conversion);
            }

            throw new ModelFolderException(
                ModelFolderError.NoFolder, path, File.Exists(path) ? "is a file" : "there is no such folder", "a Hugging Face model folder",
                "give the path of a folder that holds config.json; a name on the hub has to be downloaded first");
        }

        try
        {
            return PeftAdapter.IsIn(path) ? OpenAdapted(path) : OpenExisting(new FolderFiles(Path.GetFullPath(path)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFolderException(
                ModelFolderError.NoFolder, path, $"cannot be read ({Quoted.Plain(e.Message)})", "a readable folder",
                "check its permissions", inner: e);
        }
    }

    /// <summary>The dtype that a parameter is stored in: F32, F16 or BF16.</summary>
    /// <exception cref="ArgumentException">The model has no such parameter.</exception>
    public DType DTypeOf(string name) => FileOf(name)[name].DType;

    /// <summary>Reads a whole parameter as float32.</summary>
    /// <param name="name">One of <see cref="Parameters"/>.</param>
    /// <param name="destination">As long as the parameter.</param>
    /// <exception cref="ModelFolderException">A value is NaN or infinite.</exception>
    /// <exception cref="ArgumentException">The model has no such parameter, or the length is not its own.</exception>
    public void Read(string name, Span<float> destination)
    {
        if (FileOf(name)[name].Count != destination.Length)
        {
            throw new ArgumentException($"{name} has {FileOf(name)[name].Count} elements, not {destination.Length}", nameof(destination));
        }

        Read(name, 0, destination);
    }

    /// <summary>Reads part of a parameter as float32, exactly.</summary>
    /// <param name="name">One of <see cref="Parameters"/>.</param>
    /// <param name="offset">First element in row-major order.</param>
    /// <param name="destination">As many elements are read as it holds.</param>
    /// <inheritdoc cref="Read(string, Span{float})"/>
    public void Read(string name, long offset, Span<float> destination)
    {
        var file = FileOf(name);
        file.ReadInto(name, offset, destination);
        adapter?.AddTo(name, offset, destination);
        if (TensorPrimitives.IsFiniteAll<float>(destination))
        {
            return;
        }

        int bad = 0;
        while (float.IsFinite(destination[bad]))
        {
            bad++;
        }

        throw new ModelFolderException(
            ModelFolderError.NonFinite, file.Path, $"{name}, element {offset + bad}, is {destination[bad]}", "finite weights",
            "use another checkpoint of the model: this one is damaged or has diverged", name);
    }

    /// <summary>Tells whether the weights that were read so far are of one piece.</summary>
    /// <exception cref="SafetensorsException">Another process has written to a weight file since it was opened.</exception>
    public void CheckUnchanged()
    {
        foreach (var (_, file) in Weights.Files)
        {
            file.CheckUnchanged();
        }
    }

    public void Dispose() => Weights.Dispose();

    private SafetensorsFile FileOf(string name) => byName.ContainsKey(name)
        ? Weights.Find(name)!
        : throw new ArgumentException($"the model has no parameter {name}", nameof(name));

    private static ModelFolder OpenAdapted(string path)
    {
        var adapter = PeftAdapter.Read(path);
        var folder = OpenExisting(new FolderFiles(Path.GetFullPath(adapter.BaseFolder)));
        try
        {
            adapter.Check(folder.Parameters, path);
            folder.adapter = adapter;
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    private static ModelFolder OpenExisting(FolderFiles files)
    {
        if (!files.Exists(ConfigName))
        {
            throw NoConfig(files);
        }

        string configPath = files.Resolve(ConfigName);
        byte[] configJson = JsonFile.ReadBytes(configPath);
        var config = ModelConfigReader.Parse(configJson, configPath);
        var generation = ReadGenerationConfig(files, config);
        var weights = WeightFiles.Open(files);
        try
        {
            var folder = new ModelFolder(files, configJson, config, generation, weights);
            WeightCheck.Run(folder);
            return folder;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private static GenerationConfig ReadGenerationConfig(FolderFiles files, ModelConfig config)
    {
        if (!files.Exists(GenerationConfigName))
        {
            return GenerationConfig.From(config);
        }

        string path = files.Resolve(GenerationConfigName);
        return GenerationConfig.Parse(JsonFile.ReadBytes(path), path, config);
    }

    private static ModelFolderException NoConfig(FolderFiles files)
    {
        string remedy = "download all files of the model, or give the path of another folder";
        if (OutputFolder.Interrupted(files.Folder) is { } interrupted)
        {
            remedy = interrupted;
        }
        else if (files.Exists("params.json"))
        {
            remedy = "convert Meta's original format to the Hugging Face format first";
        }

        return new ModelFolderException(
            ModelFolderError.NoConfig, files.Folder, "the folder has no config.json", "a Hugging Face model folder", remedy);
    }
}
