using System.Globalization;
using RepNoise.Host.Model;
using RepNoise.Host.Resuming;

namespace RepNoise.Host.Checkpoints;

/// <summary>A tensor to be saved and where its values come from.</summary>
/// <param name="Spec">Name, dtype and shape as they will be written.</param>
/// <param name="Parameter">The parameter whose values it takes, or null.</param>
/// <param name="Content">Its bytes, taken unchanged, where it is no parameter.</param>
internal sealed record PlannedTensor(TensorSpec Spec, ParameterSpec? Parameter, byte[]? Content = null);

/// <summary>A safetensors file to be written.</summary>
internal sealed record PlannedFile(string Name, IReadOnlyList<PlannedTensor> Tensors, IReadOnlyDictionary<string, string> Metadata);

/// <summary>
/// A file of the source folder that is saved as it is. What it holds is read when the plan is made, so that a save at the end of a
/// run writes what stood there when the run began, whatever has happened to the file since. Only files too large for that are read
/// when they are written.
/// </summary>
/// <param name="Name">Its name, relative to either folder.</param>
/// <param name="From">Its path.</param>
/// <param name="Content">Its bytes, or null for a large file.</param>
internal sealed record PlannedCopy(string Name, string From, byte[]? Content)
{
    /// <summary>Tokenizers have some 35 MB at most.</summary>
    private const long LargestKept = 64 << 20;

    public static PlannedCopy Of(string name, string from)
    {
        using var stream = new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        if (stream.Length > LargestKept) return new PlannedCopy(name, from, null);
        byte[] content = new byte[stream.Length];
        stream.ReadExactly(content);
        return new PlannedCopy(name, from, content);
    }

    public void WriteTo(string path)
    {
        if (Content is null) Durable.Copy(From, path);
        else Durable.Write(path, Content);
    }
}

/// <summary>Everything that a saved model folder will hold.</summary>
/// <param name="Weights">Its safetensors files.</param>
/// <param name="ConfigJson">Its config.json.</param>
/// <param name="IndexJson">Its index, or null where the weights are one file.</param>
/// <param name="Copies">Files copied as they are.</param>
internal sealed record SavePlan(
    IReadOnlyList<PlannedFile> Weights, byte[] ConfigJson, byte[]? IndexJson, IReadOnlyList<PlannedCopy> Copies)
{
    /// <summary>Names of files that are weights, or describe weights, in one format or another; never copied through.</summary>
    private static readonly string[] WeightSuffixes =
    [
        ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".onnx_data", ".npz", ".index.json",
    ];

    /// <summary>What a tokenizer consists of, in every form that transformers writes, and how its texts end.</summary>
    private static readonly string[] TokenizerFiles =
    [
        "tokenizer.json", "tokenizer_config.json", "generation_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
        "chat_template.json",
        "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model",
    ];

    /// <summary>The one subfolder that is part of a model: further chat templates of its tokenizer.</summary>
    internal const string ChatTemplates = "additional_chat_templates";

    /// <summary>The source folder with new values: same names, order, sharding and metadata.</summary>
    public static SavePlan For(ModelFolder source, SaveOptions options)
    {
        CheckDType(options.SaveDType);
        var parameters = source.Parameters.ToDictionary(p => p.Name);
        var weights = source.Weights.Files.Select(f => new PlannedFile(
            f.Name, [.. f.File.Tensors.Select(t => Plan(source, f.File, t, parameters, options.SaveDType))], f.File.Metadata)).ToArray();
        var config = source.ConfigJson;
        var index = source.Weights.Index;
        if (options.SaveDType is { } dtype)
        {
            config = WithDType(config, dtype);
            long total = weights.SelectMany(w => w.Tensors).Sum(t => t.Spec.Count * t.Spec.DType.Size());
            index = index is null
                ? null
                : JsonSplice.Replace(index, ["metadata", "total_size"], total.ToString(CultureInfo.InvariantCulture));
        }

        var names = source.Files.Names.Where(name => name != ModelFolder.ConfigName && IsCopied(name, options));
        return new SavePlan(weights, config, index, CollectCopies(source.Files, names));
    }

    /// <summary>A model that has no folder yet: one file in config.json's dtype, beside the tokenizer of another folder.</summary>
    public static SavePlan ForNew(ModelConfig config, byte[] configJson, string configPath, string? tokenizerFolder, SaveOptions options)
    {
        CheckDType(options.SaveDType);
        var dtype = options.SaveDType ?? ModelConfigReader.DTypeOf(configJson, configPath) ?? DType.F32;
        var tensors = ParameterSpecs.Of(config).OrderBy(p => p.Name, StringComparer.Ordinal)
            .Select(p => new PlannedTensor(new TensorSpec(p.Name, dtype, p.Shape), p)).ToArray();
        var file = new PlannedFile(WeightFiles.SingleName, tensors, new Dictionary<string, string> { ["format"] = "pt" });
        var tokenizer = tokenizerFolder is null ? null : new FolderFiles(tokenizerFolder);
        return new SavePlan(
            [file], options.SaveDType is null ? configJson : WithDType(configJson, dtype), null,
            tokenizer is null ? [] : CollectCopies(tokenizer, TokenizerFiles.Where(tokenizer.Exists)));
    }

    private static PlannedTensor Plan(
        ModelFolder source, SafetensorsFile file, TensorEntry tensor, Dictionary<string, ParameterSpec> parameters, DType? saveDType)
    {
        // A tied head that is stored has to follow the embedding, or the saved folder would contradict itself.
        string name = WeightCheck.IsTiedHead(source, tensor) ? ParameterSpecs.EmbedTokens : tensor.Name;
        return parameters.TryGetValue(name, out var parameter)
            ? new PlannedTensor(new TensorSpec(tensor.Name, saveDType ?? tensor.DType, tensor.Shape), parameter)
            : new PlannedTensor(new TensorSpec(tensor.Name, tensor.DType, tensor.Shape), null, file.Bytes(tensor.Name).ToArray());
    }

    private static bool IsCopied(string name, SaveOptions options) =>
        !options.RunFiles.Contains(name) && !CheckpointFiles.All.Contains(name) && !WeightSuffixes.Any(suffix => name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));

    private static List<PlannedCopy> CollectCopies(FolderFiles folder, IEnumerable<string> names)
    {
        var copies = names.Select(name => PlannedCopy.Of(name, folder.Resolve(name))).ToList();
        string templates = Path.Combine(folder.Folder, ChatTemplates);
        if (Directory.Exists(templates))
        {
            var inside = Directory.EnumerateFiles(templates).Select(path => Path.Combine(ChatTemplates, Path.GetFileName(path)));
            copies.AddRange(inside.Order(StringComparer.Ordinal).Select(name => PlannedCopy.Of(name, folder.Resolve(name))));
        }

        return copies;
    }

    /// <summary>config.json with another dtype under the key, or keys, it uses for it; every other byte stays.</summary>
    private static byte[] WithDType(byte[] config, DType dtype)
    {
        string value = $"\"{dtype.ConfigName()}\"";
        var changed = JsonSplice.Replace(JsonSplice.Replace(config, ["dtype"], value), ["torch_dtype"], value);
        return ReferenceEquals(changed, config) ? JsonSplice.Prepend(config, "torch_dtype", value) : changed;
    }

    private static void CheckDType(DType? dtype)
    {
        if (dtype is { } given && !given.IsWeight())
        {
            throw new ModelSaveException(
                ModelSaveError.UnsupportedDType, "--save-dtype", $"is {given.Name()}", "float32, float16 or bfloat16",
                "choose one of these");
        }
    }
}
