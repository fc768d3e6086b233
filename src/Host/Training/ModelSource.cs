using RepNoise.Host.Checkpoints;
using RepNoise.Host.Model;

namespace RepNoise.Host.Training;

/// <summary>Where a run's model comes from and how it is written back: a model folder, or random weights under a config.json.</summary>
public abstract class ModelSource : IDisposable
{
    public abstract ModelConfig Config { get; }

    /// <summary>The folder that holds tokenizer.json.</summary>
    public abstract string TokenizerFolder { get; }

    /// <summary>Fills the weights.</summary>
    public abstract void Load(ModelParameters parameters);

    /// <summary>Refuses an output folder that could not take the result, before the run begins.</summary>
    public void CheckOutput(string output, SaveOptions options) => ModelFolderWriter.CheckOutput(output, options, TokenizerFolder);

    /// <summary>Writes the model into its run's folder, beside what the run wrote there.</summary>
    public abstract void SaveInto(string output, ModelParameters parameters, SaveOptions options);

    public virtual void Dispose() => GC.SuppressFinalize(this);

    private protected static ParameterReader Reader(ModelParameters parameters) =>
        (parameter, offset, target) => parameters.ReadMerged(parameter.Name, offset, target);
}

/// <summary>A Hugging Face folder.</summary>
/// <param name="folder">Opened; disposed with the source.</param>
/// <param name="randomSeed">Seed of random weights that take the place of the folder's, or null.</param>
public sealed class FolderSource(ModelFolder folder, ulong? randomSeed = null) : ModelSource
{
    public override ModelConfig Config => folder.Config;

    public override string TokenizerFolder => folder.FullPath;

    public override void Load(ModelParameters parameters)
    {
        if (randomSeed is { } seed) RandomInitialization.Fill(parameters, seed);
        else parameters.Load(folder.Read);
    }

    /// <inheritdoc/>
    /// <remarks>What was not trained comes from the folder again, to the bit, whatever the device's number format.</remarks>
    public override void SaveInto(string output, ModelParameters parameters, SaveOptions options)
    {
        var trained = Reader(parameters);
        ModelFolderWriter.SaveInto(folder, output, Read, options);

        void Read(ParameterSpec parameter, long offset, Span<float> target)
        {
            if (randomSeed is null && !parameters.Changes(parameter.Name)) folder.Read(parameter.Name, offset, target);
            else trained(parameter, offset, target);
        }
    }

    public override void Dispose()
    {
        folder.Dispose();
        base.Dispose();
    }
}

/// <summary>Random weights in the shapes of a config.json.</summary>
/// <param name="configPath">The config.json.</param>
/// <param name="tokenizerFolder">The folder that gives the tokenizer.</param>
/// <param name="seed">Seed of the weights.</param>
public sealed class ScratchSource(string configPath, string tokenizerFolder, ulong seed) : ModelSource
{
    private readonly byte[] json = JsonFile.ReadBytes(configPath);

    public override ModelConfig Config { get; } = ModelConfigReader.Read(configPath);

    public override string TokenizerFolder => tokenizerFolder;

    public override void Load(ModelParameters parameters) => RandomInitialization.Fill(parameters, seed);

    public override void SaveInto(string output, ModelParameters parameters, SaveOptions options) =>
        ModelFolderWriter.SaveNewInto(Config, json, output, Reader(parameters), tokenizerFolder, options);
}
