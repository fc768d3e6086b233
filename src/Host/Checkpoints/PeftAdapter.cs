using System.Text.Json;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Low-rank adapters in a folder, as the library PEFT keeps them: adapter_config.json, which names the base model's folder, and
/// adapter_model.safetensors with <c>base_model.model.MODULE.lora_A.weight</c> and <c>.lora_B.weight</c> for each adapted module. A
/// <see cref="ModelFolder"/> that is opened there is the base model with the adapters merged in.
/// </summary>
internal sealed class PeftAdapter
{
    public const string ConfigName = "adapter_config.json", WeightsName = "adapter_model.safetensors";

    private const string Prefix = "base_model.model.", ASuffix = ".lora_A.weight", BSuffix = ".lora_B.weight", BaseKey = "base_model_name_or_path";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly SortedDictionary<string, LowRankUpdate> updates = new(StringComparer.Ordinal);

    private PeftAdapter(string baseFolder) => BaseFolder = baseFolder;

    /// <summary>Folder of the model that the adapters stand beside.</summary>
    public string BaseFolder { get; }

    /// <summary>True for a folder that holds adapters and no model.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, ConfigName)) && !File.Exists(Path.Combine(folder, ModelFolder.ConfigName));

    /// <summary>The folder of the model itself: a folder of adapters gives way to the one that it names.</summary>
    /// <exception cref="ConfigException">It names none that is there.</exception>
    public static string ModelFolderOf(string folder) => IsIn(folder) ? BaseOf(ReadConfig(folder), folder) : folder;

    /// <summary>Reads a folder's adapters.</summary>
    /// <exception cref="ConfigException">Its configuration asks for something that is not supported, or names no base model's folder.</exception>
    /// <exception cref="SafetensorsException">The weights are malformed.</exception>
    public static PeftAdapter Read(string folder)
    {
        var config = ReadConfig(folder);
        Refuse(config);
        var adapter = new PeftAdapter(BaseOf(config, folder));
        double alpha = config.Number("lora_alpha", 8, double.Epsilon, 1e9);
        bool byRoot = config.Has("use_rslora") && config.Bool("use_rslora", false);
        using var file = SafetensorsFile.Open(Path.Combine(folder, WeightsName));
        foreach (var a in file.Tensors)
        {
            string module = a.Name.StartsWith(Prefix, StringComparison.Ordinal) ? a.Name[Prefix.Length..] : "";
            if (module.EndsWith(BSuffix, StringComparison.Ordinal) && file.Contains(a.Name[..^BSuffix.Length] + ASuffix)) continue;
            string nameOfB = a.Name.Replace(ASuffix, BSuffix, StringComparison.Ordinal);
            if (!module.EndsWith(ASuffix, StringComparison.Ordinal) || !file.Contains(nameOfB) || a.Shape.Count != 2 || file[nameOfB].Shape is not [_, var rank] || rank != a.Shape[0] || rank < 1)
            {
                throw new ModelFolderException(ModelFolderError.SurplusTensor, file.Path, $"{Quoted.Name(a.Name)} is no part of a low-rank adapter", $"pairs of {Prefix}MODULE{ASuffix} (r, inputs) and {BSuffix} (outputs, r)",
                    "merge the adapter into its base model with peft's merge_and_unload, and give the merged folder", a.Name);
            }

            adapter.updates[module[..^ASuffix.Length] + ".weight"] = new LowRankUpdate(
                Values(file, a.Name), Values(file, nameOfB), (int)a.Shape[1], alpha / (byRoot ? Math.Sqrt(rank) : rank));
        }

        return adapter;
    }

    /// <summary>Tells whether every adapter stands beside a matrix of the model.</summary>
    /// <exception cref="ModelFolderException">One does not.</exception>
    public void Check(IReadOnlyList<ParameterSpec> parameters, string folder)
    {
        foreach (var (name, update) in updates)
        {
            var parameter = parameters.FirstOrDefault(parameter => parameter.Name == name);
            long rows = update.B.Length / (update.A.Length / update.Columns);
            if (parameter is not null && parameter.Shape.SequenceEqual([rows, update.Columns])) continue;
            throw new ModelFolderException(ModelFolderError.SurplusTensor, Path.Combine(folder, WeightsName), $"it adapts {Quoted.Name(name)} of shape [{rows}, {update.Columns}]",
                parameter is null ? "a matrix that the base model has" : $"the base model's shape [{string.Join(", ", parameter.Shape)}]", $"check {BaseKey} in {ConfigName}", name);
        }
    }

    /// <summary>Adds to values of a parameter what its adapter, if it has one, adds.</summary>
    public void AddTo(string name, long offset, Span<float> values)
    {
        if (updates.TryGetValue(name, out var update)) update.AddTo(offset, values);
    }

    /// <summary>Refuses a folder that holds something else than adapters.</summary>
    /// <exception cref="InputException">It does.</exception>
    public static void CheckOutput(string folder)
    {
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any(path => Path.GetFileName(path) is not (ConfigName or WeightsName))))
            throw new InputException(folder, "something else is there already", "a folder that is empty, not there yet, or holds adapters", "choose another adapter_dir");
    }

    /// <summary>Writes the adapters of trained parameters in float32; the configuration last.</summary>
    /// <param name="folder">A folder that <see cref="CheckOutput"/> lets pass.</param>
    /// <param name="parameters">The adapters' values.</param>
    /// <param name="options">How they were made.</param>
    /// <param name="baseFolder">Folder of the model that they stand beside.</param>
    /// <exception cref="ModelSaveException">The folder cannot be written.</exception>
    public static void Write(string folder, ModelParameters parameters, LoraOptions options, string baseFolder)
    {
        try
        {
            string staging = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + ".new";
            OutputFolder.Stage(staging, into =>
            {
                WriteWeights(Path.Combine(into, WeightsName), parameters.Adapters);
                Durable.Write(Path.Combine(into, ConfigName), JsonSerializer.SerializeToUtf8Bytes(Config(parameters, options, baseFolder), Indented));
            });
            Directory.CreateDirectory(folder);
            File.Delete(Path.Combine(folder, ConfigName));
            foreach (string name in (string[])[WeightsName, ConfigName]) File.Move(Path.Combine(staging, name), Path.Combine(folder, name), overwrite: true);
            Directory.Delete(staging);
            Durable.FlushFolder(folder);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw ModelSaveException.FromIo(folder, problem);
        }
    }

    private static void WriteWeights(string path, IReadOnlyList<LoraAdapter> adapters)
    {
        var tensors = adapters.SelectMany(adapter => adapter.Parameters).OrderBy(parameter => parameter.Name, StringComparer.Ordinal).ToList();
        using var writer = SafetensorsWriter.Create(
            path, [.. tensors.Select(tensor => new TensorSpec(Prefix + tensor.Name, DType.F32, [tensor.Rows, tensor.Columns]))], new Dictionary<string, string> { ["format"] = "pt" });
        foreach (var tensor in tensors)
        {
            var values = new float[tensor.Length];
            tensor.Master.Buffer.Device.Download(tensor.Master, values);
            writer.Write(values);
        }

        writer.Finish();
    }

    private static Dictionary<string, object?> Config(ModelParameters parameters, LoraOptions options, string baseFolder)
    {
        string[] modules = [.. parameters.Adapters.Select(adapter => adapter.Target.Name.Split('.')[^2]).Distinct().Order(StringComparer.Ordinal)];
        int[] layers = [.. parameters.Adapters.Select(adapter => int.Parse(adapter.Target.Name.Split('.')[2], System.Globalization.CultureInfo.InvariantCulture)).Distinct().Order()];
        return new Dictionary<string, object?>
        {
            [BaseKey] = baseFolder,
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["layers_to_transform"] = layers.Length == parameters.Config.NumHiddenLayers ? null : layers,
            ["lora_alpha"] = options.Alpha,
            ["lora_dropout"] = 0.0,
            ["modules_to_save"] = null,
            ["peft_type"] = "LORA",
            ["r"] = options.Rank,
            ["target_modules"] = modules,
            ["task_type"] = "CAUSAL_LM",
        };
    }

    private static ConfigObject ReadConfig(string folder)
    {
        string path = Path.Combine(folder, ConfigName);
        var json = JsonFile.Parse(JsonFile.ReadBytes(path), path);
        return json.ValueKind == JsonValueKind.Object
            ? new ConfigObject(json, path)
            : throw new ConfigException(path, "it holds no object", "an adapter's configuration", "take the file that PEFT wrote");
    }

    private static string BaseOf(ConfigObject config, string folder)
    {
        string named = config.String(BaseKey) ?? throw config.Wrong(BaseKey, "the base model's folder");
        if (File.Exists(Path.Combine(named, ModelFolder.ConfigName)) && Path.GetFullPath(named) != Path.GetFullPath(folder)) return named;
        throw config.Wrong(BaseKey, "a model folder, seen from the folder that the command runs in", "write the path of the base model's folder there");
    }

    /// <summary>What would change the meaning of the weights, and is not done here.</summary>
    private static void Refuse(ConfigObject config)
    {
        const string merge = "merge the adapter into its base model with peft's merge_and_unload, and give the merged folder";
        if (config.String("peft_type") != "LORA") throw config.Wrong("peft_type", "LORA", merge);
        foreach (string key in (string[])["use_dora", "fan_in_fan_out", "lora_bias"])
        {
            if (config.Has(key) && config.Bool(key, false)) throw config.Wrong(key, "false", merge);
        }

        if (config.String("bias") is not (null or "none")) throw config.Wrong("bias", "none", merge);
        if (config.Strings("modules_to_save") is { Count: > 0 }) throw config.Wrong("modules_to_save", "null", merge);
        foreach (string key in (string[])["rank_pattern", "alpha_pattern"])
        {
            if (config.Object(key)?.Keys.Any() == true) throw config.Wrong(key, "{}", merge);
        }
    }

    private static float[] Values(SafetensorsFile file, string name)
    {
        var values = new float[file[name].Count];
        file.ReadInto(name, 0, values);
        return values;
    }
}
