using RepNoise.Host.Data;
using RepNoise.Host.Dumps;
using RepNoise.Host.Training;

namespace RepNoise.Host.Configuration;

/// <summary>The number type of master weights, gradients and moments while training.</summary>
public enum StateDtype
{
    /// <summary>The device's own: float32 but on the reference devices.</summary>
    Float32,
    BFloat16,
}

/// <summary>Whether the training step's kernels are submitted as CUDA graphs.</summary>
public enum CudaGraphs
{
    Off,
    On,
}

/// <summary>The number type of saved weights.</summary>
public enum SaveDtype
{
    /// <summary>Each tensor's own, as in the source folder.</summary>
    Source,
    Float32,
    Float16,
    BFloat16,
}

/// <summary>An operation's variant that the user forces.</summary>
public readonly record struct KernelChoice(string Operation, string Variant);

/// <summary>What <c>defend</c> and <c>finetune</c> share: where to read, where to write, on what to run.</summary>
public abstract record TrainingRun
{
    /// <summary>The model folder to start from.</summary>
    public string? Model { get; init; }

    /// <summary>The folder to write; must not exist or be empty unless <see cref="OverwriteOutputDir"/>.</summary>
    public string? OutputDir { get; init; }

    public bool OverwriteOutputDir { get; init; }

    /// <summary>The folder that takes the adapters by themselves; null for none.</summary>
    public string? AdapterDir { get; init; }

    /// <summary>Steps from one checkpoint to the next; 0 saves none.</summary>
    public int SaveSteps { get; init; } = 500;

    /// <summary>Checkpoints that are kept; null keeps all.</summary>
    public int? SaveTotalLimit { get; init; } = 2;

    /// <summary>The checkpoint to go on from; <c>true</c> for the latest whole one of the output folder, null to begin at step 1.</summary>
    public string? ResumeFromCheckpoint { get; init; }

    /// <summary>Go on although settings or data are not those that the checkpoint was saved under.</summary>
    public bool ResumeDespiteChanges { get; init; }

    /// <summary>Field of the prompt in generic rows, a dotted path for nested objects; null takes the format's own.</summary>
    public string? PromptField { get; init; }

    /// <summary>Field of the answer in rows of texts (<c>data</c>, <c>retain</c>).</summary>
    public string? AnswerField { get; init; }

    /// <summary>Field of the whole text in rows that have no prompt.</summary>
    public string? TextField { get; init; }

    /// <summary>Text around the prompt, with <c>{prompt}</c> in it; null takes the format's own.</summary>
    public string? Template { get; init; }

    /// <summary>Prompt and answer are joined by the model folder's chat template.</summary>
    public bool ChatTemplate { get; init; }

    /// <summary>Rows of the file of pairs or texts that are used, from its beginning; 0 for all.</summary>
    public int MaxTrainSamples { get; init; }

    /// <summary>A row that would be skipped (no countable target) is an error.</summary>
    public bool Strict { get; init; }

    /// <summary>Number type of master weights, gradients and moments.</summary>
    public StateDtype StateDtype { get; init; }

    public SaveDtype SaveDtype { get; init; }

    /// <summary>How device <c>cuda</c> is given a step's kernels.</summary>
    public CudaGraphs CudaGraphs { get; init; }

    /// <summary>Forced kernel variants; empty leaves every choice to the device.</summary>
    public IReadOnlyList<KernelChoice> Kernels { get; init; } = [];

    /// <summary>The folder that takes the tensors of the steps in <see cref="DumpSteps"/>; null for none.</summary>
    public string? DumpTensors { get; init; }

    public StepRanges DumpSteps { get; init; } = StepRanges.One;

    /// <summary>What is dumped; empty for everything.</summary>
    public IReadOnlyList<DumpPart> DumpParts { get; init; } = [];

    /// <summary>The arguments that all commands share; the runtime type is that of the derived run's arguments.</summary>
    internal abstract TrainingArguments Training { get; init; }
}

/// <summary>A run that ends without saving a model.</summary>
public interface IUnsavedRun;

/// <summary>Everything that <c>defend</c> was told.</summary>
public record DefendRun : TrainingRun
{
    /// <summary>The file of harmful/harmless pairs.</summary>
    public string? Pairs { get; init; }

    public PairLayout PairFormat { get; init; }

    public string? HarmfulField { get; init; }

    public string? HarmlessField { get; init; }

    /// <summary>A file of harmless examples whose cross-entropy joins the loss; null for the published loss.</summary>
    public string? Retain { get; init; }

    public RepNoiseArguments Arguments { get; init; } = new();

    internal override TrainingArguments Training
    {
        get => Arguments;
        init => Arguments = (RepNoiseArguments)value;
    }
}

/// <summary>Everything that <c>profile</c> was told: steps of a defence, and what to record of them.</summary>
public sealed record ProfileRun : DefendRun, IUnsavedRun
{
    /// <summary>Steps that are recorded.</summary>
    public int Steps { get; init; } = 10;

    /// <summary>Steps before them: code is compiled and memory is touched there.</summary>
    public int SkipSteps { get; init; } = 3;

    /// <summary>File for the timeline in Chrome trace format, or null.</summary>
    public string? Trace { get; init; }

    /// <summary>File for the tables as JSON, or null.</summary>
    public string? Json { get; init; }

    /// <summary>Measure what recording itself costs.</summary>
    public bool Overhead { get; init; }
}

/// <summary>Everything that <c>finetune</c> was told.</summary>
public record FinetuneRun : TrainingRun
{
    /// <summary>The file of texts to train on.</summary>
    public string? Data { get; init; }

    /// <summary>A config.json to start from with random weights; the model folder then gives the tokenizer only.</summary>
    public string? FromScratch { get; init; }

    public FinetuneArguments Arguments { get; init; } = new();

    internal override TrainingArguments Training
    {
        get => Arguments;
        init => Arguments = (FinetuneArguments)value;
    }
}
