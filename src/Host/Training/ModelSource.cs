using RepNoise.Host.Checkpoints;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>Where a run's model comes from and how it is written back: a model folder, or random weights under a config.json.</summary>
public abstract class ModelSource : IDisposable
{
    private (SaveOptions Options, SavePlan Plan)? planned;

    public abstract ModelConfig Config { get; }

    /// <summary>The folder that holds tokenizer.json.</summary>
    public abstract string TokenizerFolder { get; }

    /// <summary>Fills the weights.</summary>
    public abstract void Load(ModelParameters parameters);

    /// <summary>
    /// Refuses an output folder that could not take the result, and reads what will be copied into it: both before the run begins.
    /// </summary>
    /// <param name="output">The folder; need not exist.</param>
    /// <param name="options">How the model will be saved.</param>
    /// <param name="goesOn">True where a run goes on in its own folder, which holds what it saved there.</param>
    public void CheckOutput(string output, SaveOptions options, bool goesOn = false)
    {
        if (!goesOn) ModelFolderWriter.CheckOutput(output, options, TokenizerFolder);
        _ = PlanOf(options);
    }

    /// <summary>Writes the model into its run's folder, beside what the run wrote there.</summary>
    public void SaveInto(string output, ModelParameters parameters, SaveOptions options) =>
        ModelFolderWriter.SaveInto(PlanOf(options), TokenizerFolder, output, Reader(parameters));

    /// <summary>Writes the model's files, each flushed, into a folder that has none of them.</summary>
    internal void Write(string folder, ModelParameters parameters, SaveOptions options) =>
        ModelFolderWriter.Write(PlanOf(options), folder, Reader(parameters));

    /// <summary>What is saved under these options; made once.</summary>
    internal SavePlan PlanOf(SaveOptions options)
    {
        if (planned is not { } known || known.Options != options) planned = (options, MakePlan(options));
        return planned.Value.Plan;
    }

    private protected abstract SavePlan MakePlan(SaveOptions options);

    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Gives what was not trained as it was read, to the bit, for a device that rounds it; null where nothing was read.</summary>
    private protected virtual TensorReader? Original => null;

    private ParameterReader Reader(ModelParameters parameters) => (parameter, offset, target) =>
    {
        // Only where the device has rounded it: the source's files may have changed since they were read.
        bool rounded = parameters.Device.FormatOf(parameters.Device.ParameterKind) == NumberFormat.BFloat16;
        if (rounded && Original is { } read && !parameters.Changes(parameter.Name)) read(parameter.Name, offset, target);
        else parameters.ReadMerged(parameter.Name, offset, target);
    };
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
        else Read(parameters);
    }

    private void Read(ModelParameters parameters)
    {
        parameters.Load(folder.Read);
        folder.CheckUnchanged();
    }

    private protected override TensorReader? Original => randomSeed is null ? ReadUnchanged : null;

    private void ReadUnchanged(string name, long offset, Span<float> target)
    {
        folder.Read(name, offset, target);
        folder.CheckUnchanged();
    }

    private protected override SavePlan MakePlan(SaveOptions options) => SavePlan.For(folder, options);

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

    private protected override SavePlan MakePlan(SaveOptions options) =>
        SavePlan.ForNew(Config, json, ModelFolder.ConfigName, tokenizerFolder, options);
}
