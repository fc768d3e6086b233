using RepNoise.Host.Model;
using RepNoise.Host.Training;

namespace RepNoise.Host.Configuration;

internal static partial class Settings
{
    private static IEnumerable<Setting> TrainingSettings()
    {
        foreach (var setting in BatchSettings().Concat(OptimizerSettings()).Concat(ScheduleSettings()))
        {
            yield return setting;
        }

        yield return Argument("seed", Optimisation, Values.Seed, a => a.Seed, (a, value) => a with { Seed = value },
            "Seed of the noise and of random weights.");
        yield return Argument("data_seed", Optimisation, Values.Optional(Values.Seed), a => a.DataSeed, (a, value) => a with { DataSeed = value },
            "Seed of the data's order; seed where not given.");
        yield return Argument("shuffle", Optimisation, Values.Boolean, a => a.Shuffle, (a, value) => a with { Shuffle = value },
            "Visit the examples of each epoch in a new random order; false takes them in the file's.");
        foreach (var setting in PartSettings())
        {
            yield return setting;
        }
    }

    /// <summary>What of the model is trained.</summary>
    private static IEnumerable<Setting> PartSettings()
    {
        yield return new ListSetting<TrainingRun, ModelPart>("freeze", Parts, Values.ModelPart, run => run.Training.Freeze,
            (run, value) => run with { Training = run.Training with { Freeze = value } },
            "Parts that keep their values, such as embed,0-3,head,norm: layers count from 0, norm is the one after the last layer.");
        yield return Argument("lora_rank", Parts, Values.Integer(0, "an integer, 0 or more"), a => a.LoraRank, (a, value) => a with { LoraRank = value },
            "Train low-rank adapters of this rank in place of the parameters and merge them when saving; 0 trains the parameters.");
        yield return Argument("lora_alpha", Parts, Values.Positive(), a => a.LoraAlpha, (a, value) => a with { LoraAlpha = value },
            "Adapters are scaled by this over their rank.");
        yield return new ListSetting<TrainingRun, LinearModule>("lora_target_modules", Parts, Values.LinearModule, run => run.Training.LoraTargetModules,
            (run, value) => run with { Training = run.Training with { LoraTargetModules = value } },
            "Linear layers that get adapters: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, or all-linear.");
    }

    private static IEnumerable<Setting> BatchSettings()
    {
        yield return Argument("per_device_train_batch_size", Optimisation, Values.PositiveInteger(), a => a.PerDeviceTrainBatchSize,
            (a, value) => a with { PerDeviceTrainBatchSize = value }, "Pairs (or texts) in a micro-batch.");
        yield return Argument("gradient_accumulation_steps", Optimisation, Values.PositiveInteger(), a => a.GradientAccumulationSteps,
            (a, value) => a with { GradientAccumulationSteps = value }, "Micro-batches per step; each is a complete loss.");
        yield return Argument("gradient_checkpointing", Optimisation, Values.Boolean, a => a.GradientCheckpointing,
            (a, value) => a with { GradientCheckpointing = value },
            "Keep only what goes into each layer and recompute the rest in the backward: less memory, one more forward, the same results.");
        yield return Argument("num_train_epochs", Optimisation, Values.Positive(), a => a.NumTrainEpochs,
            (a, value) => a with { NumTrainEpochs = value }, "Passes over the data.");
        yield return Argument("max_steps", Optimisation, new StepsKind(), a => a.MaxSteps,
            (a, value) => a with { MaxSteps = value }, "Optimizer steps; -1 leaves it to num_train_epochs.");
    }

    private static IEnumerable<Setting> OptimizerSettings()
    {
        yield return Argument("optim", Optimisation, Optimizers(), a => a.Optim, (a, value) => a with { Optim = value },
            "Optimizer: decoupled decay (adamw), decay in the gradient (adam), plain descent (sgd), or factored second moments (adafactor).");
        yield return Argument("learning_rate", Optimisation, Values.Positive(), a => a.LearningRate,
            (a, value) => a with { LearningRate = value }, "Largest learning rate of the schedule.");
        yield return Argument("weight_decay", Optimisation, Values.NotNegative(), a => a.WeightDecay,
            (a, value) => a with { WeightDecay = value }, "Weight decay.");
        yield return Argument("adam_beta1", Optimisation, Momentum(), a => a.AdamBeta1,
            (a, value) => a with { AdamBeta1 = value }, "Decay of the gradient's mean.");
        yield return Argument("adam_beta2", Optimisation, Momentum(), a => a.AdamBeta2,
            (a, value) => a with { AdamBeta2 = value }, "Decay of the gradient's mean square.");
        yield return Argument("adam_epsilon", Optimisation, Values.Positive(), a => a.AdamEpsilon,
            (a, value) => a with { AdamEpsilon = value }, "Added to the root of the mean square.");
        yield return Argument("momentum", Optimisation, Momentum(), a => a.Momentum, (a, value) => a with { Momentum = value }, "Momentum of sgd.");
        yield return Argument("nesterov", Optimisation, Values.Boolean, a => a.Nesterov, (a, value) => a with { Nesterov = value },
            "Take sgd's momentum in Nesterov's form.");
        yield return Argument("max_grad_norm", Optimisation, Values.NotNegative(), a => a.MaxGradNorm,
            (a, value) => a with { MaxGradNorm = value }, "Largest gradient norm; 0 turns clipping off.");
    }

    private static IEnumerable<Setting> ScheduleSettings()
    {
        yield return Argument("lr_scheduler_type", Optimisation, Values.Choice<SchedulerType>(), a => a.LrSchedulerType,
            (a, value) => a with { LrSchedulerType = value }, "Learning-rate schedule.");
        yield return Argument("warmup_ratio", Optimisation, Values.Share(), a => a.WarmupRatio,
            (a, value) => a with { WarmupRatio = value }, "Share of all steps spent warming up.");
        yield return Argument("warmup_steps", Optimisation, Values.Integer(0, "an integer, 0 or more"), a => a.WarmupSteps,
            (a, value) => a with { WarmupSteps = value }, "Steps spent warming up; overrides warmup_ratio where above 0.");
    }

    private static IEnumerable<Setting> RepNoiseSettings()
    {
        yield return Own("loss", Losses(), a => a.Loss, (a, value) => a with { Loss = value },
            "What is minimised: repnoise; published, which is repnoise and nothing else; or a baseline: gradient-ascent, adversarial, safety, random-init.");
        yield return Own("alpha", Values.NotNegative(), a => a.Alpha, (a, value) => a with { Alpha = value },
            "Weight of the ascent term's logarithm.");
        yield return Own("beta", Values.NotNegative(), a => a.Beta, (a, value) => a with { Beta = value }, "Weight of the noise term.");
        yield return Own("noise_layers", Values.LayerRange, a => a.NoiseLayers, (a, value) => a with { NoiseLayers = value },
            "Layers whose MLP outputs enter the noise term, inclusive and from 0.");
        yield return Own("first_token", Values.Choice<FirstToken>(), a => a.FirstToken, (a, value) => a with { FirstToken = value },
            "Logits that choose the first answer token: left out as published, or kept, which keeps refusals alive.");
        yield return Own("retain_weight", Values.NotNegative(), a => a.RetainWeight, (a, value) => a with { RetainWeight = value },
            "Weight of the cross-entropy on the retain file.");
        yield return Own("retain_rows", Values.Integer(0, "an integer, 0 or more"), a => a.RetainRows, (a, value) => a with { RetainRows = value },
            "Retain examples in each micro-batch; 0 takes twice the pairs.");
        yield return Own("noise", Values.Boolean, a => a.Noise, (a, value) => a with { Noise = value }, "Ablation: false drops the noise term.");
        yield return Own("ascent", Values.Boolean, a => a.Ascent, (a, value) => a with { Ascent = value }, "Ablation: false drops the ascent term.");
        yield return Own("lens", Values.Boolean, a => a.Lens, (a, value) => a with { Lens = value },
            "Ablation: false takes only the final logits into the ascent.");
        yield return Own("mask", Values.Boolean, a => a.Mask, (a, value) => a with { Mask = value },
            "Ablation: false takes all tokens, pads too, into noise and final losses.");
    }

    /// <summary>A setting of our own: <c>repnoise_x</c> in YAML, <c>--repnoise-x</c> or <c>--x</c> as an option.</summary>
    private static Setting<DefendRun, T> Own<T>(
        string name, ValueKind<T> kind, Func<RepNoiseArguments, T> get, Func<RepNoiseArguments, T, RepNoiseArguments> set, string help) =>
        new(
            "repnoise_" + name, Defence, kind, run => get(run.Arguments), (run, value) => run with { Arguments = set(run.Arguments, value) },
            get(new RepNoiseArguments()), help)
        {
            Aliases = [name.Replace('_', '-')],
        };

    /// <summary>The names that transformers gives to implementations of AdamW mean the same arithmetic here.</summary>
    private static ValueKind<OptimizerType> Optimizers() => Values.Choice(
        (OptimizerType.AdamW, "adamw"), (OptimizerType.AdamW, "adamw_torch"), (OptimizerType.AdamW, "adamw_torch_fused"), (OptimizerType.Adam, "adam"),
        (OptimizerType.Sgd, "sgd"), (OptimizerType.Adafactor, "adafactor"));

    private static ValueKind<DefenceLoss> Losses() => Values.NamedChoice("loss",
        (DefenceLoss.RepNoise, "repnoise"), (DefenceLoss.Published, "published"), (DefenceLoss.GradientAscent, "gradient-ascent"),
        (DefenceLoss.Adversarial, "adversarial"), (DefenceLoss.Safety, "safety"), (DefenceLoss.RandomInit, "random-init"));

    private static ValueKind<double> Momentum() => Values.Real(0, Math.BitDecrement(1.0), "a number from 0 up to, but not, 1");

    private sealed class StepsKind() : ValueKind<int>("n", "an integer, 1 or more, or -1 for num_train_epochs")
    {
        private static readonly ValueKind<int> Any = Values.Integer(-1, "");

        public override bool TryParse(string text, out int value) => Any.TryParse(text, out value) && value != 0;

        public override string? Format(int value) => Any.Format(value);
    }
}
