using System.Buffers;
using RepNoise.Host.Model;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Saves models as Hugging Face folders. A saved folder loads wherever its source did: same tensor names, order, dtypes,
/// sharding, metadata and index. config.json is copied byte for byte, save for the dtype where another one is asked for.
/// The source's other files are copied too, except weights in any format (<c>*.safetensors</c> outside the model, <c>*.bin</c>,
/// <c>*.pt</c>, <c>*.gguf</c>, ... and their indexes), files of the run that made it, and subfolders other than
/// <c>additional_chat_templates</c>. Every file is flushed to disk before it takes its name; <see cref="OutputFolder"/> tells
/// what a crash leaves.
/// </summary>
public static class ModelFolderWriter
{
    /// <summary>Values asked for at a time: 4 MB.</summary>
    private const int Chunk = 1 << 20;

    /// <summary>Refuses an output folder that <see cref="Save"/> would refuse: to be called before a run that will save there.</summary>
    /// <param name="output">The folder; need not exist.</param>
    /// <param name="options">Null takes the defaults.</param>
    /// <param name="source">The folder that the model comes from, or null.</param>
    /// <exception cref="ModelSaveException">The folder is the source, or holds what must not be replaced.</exception>
    public static void CheckOutput(string output, SaveOptions? options = null, string? source = null) =>
        Guard(output, () =>
        {
            OutputFolder.CheckPlace(output, source);
            OutputFolder.CheckContents(output, options ?? new SaveOptions());
        });

    /// <summary>Saves a model with new values as a folder of its own.</summary>
    /// <param name="source">The folder that the model was loaded from, still open.</param>
    /// <param name="output">Absent, empty, holding only the run's own files, or a model folder where overwriting is allowed.</param>
    /// <param name="read">Gives the values.</param>
    /// <param name="options">Null takes the defaults.</param>
    /// <exception cref="ModelSaveException">The output cannot be written, or a value does not fit the dtype; what stood there is
    /// untouched.</exception>
    public static void Save(ModelFolder source, string output, ParameterReader read, SaveOptions? options = null)
    {
        options ??= new SaveOptions();
        CheckOutput(output, options, source.FullPath);
        var plan = SavePlan.For(source, options);
        Guard(output, () => OutputFolder.Publish(output, options, folder => Write(plan, folder, read)));
    }

    /// <summary>
    /// Saves a model into the folder of the run that trains it, replacing what that run saved there before and nothing else.
    /// </summary>
    /// <inheritdoc cref="Save"/>
    public static void SaveInto(ModelFolder source, string output, ParameterReader read, SaveOptions? options = null)
    {
        options ??= new SaveOptions();
        SaveInto(SavePlan.For(source, options), source.FullPath, output, read);
    }

    /// <summary>
    /// Saves a model that was trained from random weights: one model.safetensors in config.json's dtype (float32 where it names
    /// none).
    /// </summary>
    /// <param name="config">What <paramref name="configJson"/> says.</param>
    /// <param name="configJson">config.json, which is written as it stands.</param>
    /// <param name="output">As for <see cref="Save"/>; a folder that holds only the run's files is written into.</param>
    /// <param name="read">Gives the values.</param>
    /// <param name="tokenizerFolder">A folder whose tokenizer files are copied, or null.</param>
    /// <param name="options">Null takes the defaults.</param>
    /// <exception cref="ModelSaveException">As for <see cref="Save"/>.</exception>
    /// <exception cref="ConfigException">config.json names an unknown dtype.</exception>
    public static void SaveNew(
        ModelConfig config, byte[] configJson, string output, ParameterReader read, string? tokenizerFolder = null,
        SaveOptions? options = null)
    {
        options ??= new SaveOptions();
        CheckOutput(output, options, tokenizerFolder);
        var plan = SavePlan.ForNew(config, configJson, ModelFolder.ConfigName, tokenizerFolder, options);
        Guard(output, () => OutputFolder.Publish(output, options, folder => Write(plan, folder, read)));
    }

    /// <summary>Saves a model that was trained from random weights into the folder of its run, as <see cref="SaveInto"/> does.</summary>
    /// <inheritdoc cref="SaveNew"/>
    public static void SaveNewInto(
        ModelConfig config, byte[] configJson, string output, ParameterReader read, string? tokenizerFolder = null,
        SaveOptions? options = null)
    {
        var plan = SavePlan.ForNew(config, configJson, ModelFolder.ConfigName, tokenizerFolder, options ?? new SaveOptions());
        SaveInto(plan, tokenizerFolder, output, read);
    }

    /// <summary>Saves a planned model into the folder of its run, as <see cref="SaveInto(ModelFolder, string, ParameterReader, SaveOptions?)"/> does.</summary>
    /// <param name="plan">What is saved.</param>
    /// <param name="source">The folder that the model, or its tokenizer, comes from; null for none.</param>
    /// <param name="output">The run's folder.</param>
    /// <param name="read">Gives the values.</param>
    internal static void SaveInto(SavePlan plan, string? source, string output, ParameterReader read)
    {
        Guard(output, () => OutputFolder.CheckPlace(output, source));
        Guard(output, () => OutputFolder.Merge(output, folder => Write(plan, folder, read)));
    }

    /// <summary>Writes a model's files, each flushed, into a folder that has none of them.</summary>
    internal static void Write(SavePlan plan, string folder, ParameterReader read)
    {
        foreach (var file in plan.Weights)
        {
            WriteWeights(file, Path.Combine(folder, file.Name), read);
        }

        foreach (var copy in plan.Copies)
        {
            string to = Path.Combine(folder, copy.Name);
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            copy.WriteTo(to);
        }

        if (plan.IndexJson is not null)
        {
            Durable.Write(Path.Combine(folder, WeightFiles.IndexName), plan.IndexJson);
        }

        Durable.Write(Path.Combine(folder, ModelFolder.ConfigName), plan.ConfigJson);
    }

    private static void WriteWeights(PlannedFile file, string path, ParameterReader read)
    {
        using var writer = SafetensorsWriter.Create(path, [.. file.Tensors.Select(t => t.Spec)], file.Metadata);
        foreach (var tensor in file.Tensors)
        {
            if (tensor.Parameter is not null)
            {
                WriteValues(writer, tensor.Parameter, read);
            }
            else
            {
                writer.Write(tensor.Content.AsSpan());
            }
        }

        writer.Finish();
    }

    private static void WriteValues(SafetensorsWriter writer, ParameterSpec parameter, ParameterReader read)
    {
        float[] buffer = ArrayPool<float>.Shared.Rent((int)Math.Min(Chunk, parameter.Count));
        try
        {
            for (long offset = 0; offset < parameter.Count; offset += Chunk)
            {
                var part = buffer.AsSpan(0, (int)Math.Min(Chunk, parameter.Count - offset));
                read(parameter, offset, part);
                writer.Write(part);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(buffer);
        }
    }

    private static void Guard(string output, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ModelSaveException.FromIo(output, e);
        }
    }
}
