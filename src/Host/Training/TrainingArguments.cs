using RepNoise.Host.Model;

namespace RepNoise.Host.Training;

/// <summary>Learning-rate schedules, named as in transformers' <c>lr_scheduler_type</c>.</summary>
public enum SchedulerType
{
    Cosine,
    Linear,
    Constant,
    ConstantWithWarmup,
}

/// <summary>Optimizers, named as in transformers' <c>optim</c>: decoupled decay (AdamW) or decay added to the gradient (Adam, L2).</summary>
public enum OptimizerType
{
    AdamW,
    Adam,

    /// <summary>Gradient descent, with momentum where asked for.</summary>
    Sgd,

    /// <summary>Second moments factored into rows and columns.</summary>
    Adafactor,
}

/// <summary>How what is stored in bfloat16 (<c>state_dtype</c>) is rounded.</summary>
public enum StateRounding
{
    /// <summary>To the nearest value: updates under half a unit in the last place are lost.</summary>
    Nearest,

    /// <summary>Up or down by chance, right on average; see <see cref="Kernels.StochasticRounding"/>.</summary>
    Stochastic,
}

/// <summary>What becomes of logits that predict a counted target from a position outside the difference mask.</summary>
public enum FirstToken
{
    /// <summary>The reference implementation: they count as zeros and cost ln V without a gradient.</summary>
    Published,

    /// <summary>They count as they are, so the first answer token is trained too.</summary>
    Kept,
}

/// <summary>What <c>defend</c> minimises: RepNoise, or one of the baselines that it is compared with.</summary>
public enum DefenceLoss
{
    /// <summary>stability + beta noise - alpha log(ascent), with what else the arguments say.</summary>
    RepNoise,

    /// <summary>RepNoise exactly as published: no retain examples, first token as published, nothing left out.</summary>
    Published,

    /// <summary>-alpha times the cross-entropy of the harmful answers.</summary>
    GradientAscent,

    /// <summary>stability - alpha log(cross-entropy of the harmful answers).</summary>
    Adversarial,

    /// <summary>stability alone: further safety training.</summary>
    Safety,

    /// <summary>Random weights, no training: what an attack achieves that has nothing to recover.</summary>
    RandomInit,
}

/// <summary>What the runs of <c>defend</c> and <c>finetune</c> share: transformers' TrainingArguments, in its names and units.</summary>
public record TrainingArguments
{
    /// <summary>B, pairs (or texts) in a micro-batch.</summary>
    public int PerDeviceTrainBatchSize { get; init; } = 8;

    /// <summary>Micro-batches per step; each is a complete loss, gradients are averaged.</summary>
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>True keeps only what goes into each layer and recomputes the rest in the backward: less memory, one more forward.</summary>
    public bool GradientCheckpointing { get; init; }

    public double LearningRate { get; init; } = 2e-5;

    public double WeightDecay { get; init; }

    public double AdamBeta1 { get; init; } = 0.9;

    public double AdamBeta2 { get; init; } = 0.999;

    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Rounding of weights and moments kept in bfloat16.</summary>
    public StateRounding StateRounding { get; init; }

    /// <summary>Of SGD; 0 keeps no velocity.</summary>
    public double Momentum { get; init; }

    /// <summary>True takes SGD's momentum in Nesterov's form.</summary>
    public bool Nesterov { get; init; }

    /// <summary>Largest global gradient norm; 0 turns clipping off.</summary>
    public double MaxGradNorm { get; init; } = 1.0;

    public double NumTrainEpochs { get; init; } = 1;

    /// <summary>Optimizer steps; overrides <see cref="NumTrainEpochs"/> where positive.</summary>
    public int MaxSteps { get; init; } = -1;

    public SchedulerType LrSchedulerType { get; init; } = SchedulerType.Cosine;

    /// <summary>Share of all steps spent warming up; used where <see cref="WarmupSteps"/> is 0.</summary>
    public double WarmupRatio { get; init; } = 0.1;

    public int WarmupSteps { get; init; }

    public OptimizerType Optim { get; init; } = OptimizerType.AdamW;

    /// <summary>Seed of the noise, of random weights and of sampling.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Seed of the data's order; <see cref="Seed"/> where null.</summary>
    public ulong? DataSeed { get; init; }

    /// <summary>False visits the examples in the data's order.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>Parts of the model that keep their values.</summary>
    public IReadOnlyList<ModelPart> Freeze { get; init; } = [];

    /// <summary>Rank of low-rank adapters that are trained in place of the parameters; 0 trains the parameters.</summary>
    public int LoraRank { get; init; }

    /// <summary>Adapters are scaled by this over their rank.</summary>
    public double LoraAlpha { get; init; } = 32;

    /// <summary>Linear layers that get adapters; empty for all of them.</summary>
    public IReadOnlyList<LinearModule> LoraTargetModules { get; init; } = [];

    /// <summary>What of the model is trained.</summary>
    public TrainedParts Trained => new()
    {
        Frozen = Freeze,
        Lora = LoraRank > 0 ? new LoraOptions(LoraRank, LoraAlpha, LoraTargetModules, Seed) : null,
    };

    /// <summary>T, the longest sequence in tokens; longer ones are truncated.</summary>
    public int MaxLength { get; init; } = 256;

    /// <summary>Threads of the CPU device; 0 takes every core.</summary>
    public int Threads { get; init; }

    public string Device { get; init; } = "cpu";
}

/// <summary>Arguments of <c>defend</c>.</summary>
public sealed record RepNoiseArguments : TrainingArguments
{
    public DefenceLoss Loss { get; init; }

    /// <summary>Weight of the ascent term's logarithm.</summary>
    public double Alpha { get; init; } = 1;

    /// <summary>Weight of the noise term.</summary>
    public double Beta { get; init; } = 0.001;

    /// <summary>First and last layer (inclusive, from 0) whose MLP outputs enter the noise term; null takes all.</summary>
    public (int First, int Last)? NoiseLayers { get; init; }

    /// <summary>False drops the stability term: what a baseline or a check of single terms wants.</summary>
    public bool Stability { get; init; } = true;

    /// <summary>False drops the noise term (ablation).</summary>
    public bool Noise { get; init; } = true;

    /// <summary>False drops the ascent term (ablation).</summary>
    public bool Ascent { get; init; } = true;

    /// <summary>False keeps only the final logits in the ascent: log(CE), no division, no +1 (ablation).</summary>
    public bool Lens { get; init; } = true;

    /// <summary>False takes the ascent itself and not its logarithm (gradient ascent).</summary>
    public bool LogAscent { get; init; } = true;

    /// <summary>False takes the MMD over all T rows and the final cross-entropies over all tokens, pads too (ablation).</summary>
    public bool Mask { get; init; } = true;

    public FirstToken FirstToken { get; init; } = FirstToken.Published;

    /// <summary>Weight of the cross-entropy on retain examples; used only where a retain file is given.</summary>
    public double RetainWeight { get; init; } = 1;

    /// <summary>Retain examples in each micro-batch; 0 takes twice the pairs of the micro-batch.</summary>
    public int RetainRows { get; init; }

    /// <summary>The arguments with the terms that <see cref="Loss"/> has, and no others.</summary>
    public RepNoiseArguments WithTermsOfLoss() => Loss switch
    {
        DefenceLoss.GradientAscent => this with { Stability = false, Noise = false, Lens = false, LogAscent = false },
        DefenceLoss.Adversarial => this with { Noise = false, Lens = false },
        DefenceLoss.Safety => this with { Noise = false, Ascent = false },
        _ => this,
    };
}

/// <summary>Arguments of <c>finetune</c>.</summary>
public sealed record FinetuneArguments : TrainingArguments
{
    /// <summary>True trains on the answer's tokens alone (TRL's name); false on every token after the first.</summary>
    public bool CompletionOnlyLoss { get; init; }

    /// <summary>True pads every text to <see cref="TrainingArguments.MaxLength"/> and trains on the pads too, as the paper's attack does.</summary>
    public bool TrainOnPads { get; init; }

    /// <summary>True ends every text with the model's end token.</summary>
    public bool AppendEos { get; init; }
}
