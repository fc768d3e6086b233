using RepNoise.Host.Training;

namespace RepNoise.Host.Configuration;

/// <summary>Protocols of attacks by fine-tuning. They differ in what is trained on and in which order; all else is equal.</summary>
public enum AttackPreset
{
    /// <summary>The critics' form: loss on the answer alone, no pads, shuffled.</summary>
    Standard,

    /// <summary>The paper's form: every token is a target, prompt and pads too, in the file's order.</summary>
    Paper,
}

/// <summary>Everything that <c>attack</c> was told: fine-tuning on harmful answers under a protocol.</summary>
public sealed record AttackRun : FinetuneRun
{
    /// <summary>An attack under <see cref="AttackPreset.Standard"/>.</summary>
    public AttackRun() => Arguments = Under(AttackPreset.Standard, new FinetuneArguments());

    public AttackPreset Preset { get; init; }

    /// <summary>This run with a preset's values; other settings stay.</summary>
    public AttackRun With(AttackPreset preset) => this with { Preset = preset, Arguments = Under(preset, Arguments) };

    private static FinetuneArguments Under(AttackPreset preset, FinetuneArguments arguments) => arguments with
    {
        CompletionOnlyLoss = preset == AttackPreset.Standard,
        TrainOnPads = preset == AttackPreset.Paper,
        Shuffle = preset == AttackPreset.Standard,
        AppendEos = false,
        MaxLength = 256,
        PerDeviceTrainBatchSize = 4,
        GradientAccumulationSteps = 1,
        NumTrainEpochs = 1,
        LearningRate = 8e-5, // the strongest of the paper's three: 3e-5, 6e-5, 8e-5
        LrSchedulerType = SchedulerType.Cosine,
        WarmupRatio = 0.1,
        WarmupSteps = 0,
        Optim = OptimizerType.AdamW,
        WeightDecay = 0,
    };
}
