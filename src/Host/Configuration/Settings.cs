using RepNoise.Host.Data;
using RepNoise.Host.Training;

namespace RepNoise.Host.Configuration;

/// <summary>The table of everything that can be set, in the order in which help and the written configuration list it.</summary>
internal static partial class Settings
{
    public const string Paths = "Paths";
    public const string DataGroup = "Data";
    public const string Optimisation = "Training (names and units of transformers' TrainingArguments)";
    public const string Parts = "What is trained";
    public const string Checkpoint = "Checkpoints";
    public const string Defence = "RepNoise";
    public const string Machine = "Machine and output";
    public const string Profiling = "Profile";
    public const string Dump = "Tensors";

    /// <summary>Every setting of every command.</summary>
    public static IReadOnlyList<Setting> All { get; } =
    [
        .. PathSettings(), .. ProfileSettings(), .. DataSettings(), .. TrainingSettings(), .. CheckpointSettings(), .. RepNoiseSettings(), .. MachineSettings(),
        .. DumpSettings(),
    ];

    /// <summary>The setting that gives values to others, and so is read before them.</summary>
    public const string PresetName = "preset";

    /// <summary>The settings that a preset gives values to.</summary>
    public static IEnumerable<Setting> OfPreset => Of(typeof(AttackRun)).Where(setting => setting.Name is "completion_only_loss" or "train_on_pads"
        or "shuffle" or "append_eos" or "max_length" or "per_device_train_batch_size" or "gradient_accumulation_steps" or "num_train_epochs"
        or "learning_rate" or "lr_scheduler_type" or "warmup_ratio" or "warmup_steps" or "optim" or "weight_decay");

    /// <summary>The settings that runs of type <paramref name="run"/> have.</summary>
    public static IEnumerable<Setting> Of(Type run) => All.Where(setting => setting.AppliesTo(run));

    private static IEnumerable<Setting> PathSettings()
    {
        yield return Shared("model", Paths, Values.Path, run => run.Model, (run, value) => run with { Model = value },
            "Model folder to start from, as Hugging Face writes it.", required: true);
        yield return Defend("pairs", Paths, Values.Path, run => run.Pairs, (run, value) => run with { Pairs = value },
            "File of harmful/harmless pairs: JSON, JSON lines or Parquet; not for the loss random-init.", required: true, unless: run => run.Arguments.Loss == DefenceLoss.RandomInit);
        yield return Defend("retain", Paths, Values.Path, run => run.Retain, (run, value) => run with { Retain = value },
            "File of harmless examples whose cross-entropy joins the loss, so that abilities stay.");
        yield return Finetune("data", Paths, Values.Path, run => run.Data, (run, value) => run with { Data = value },
            "File of texts to train on: JSON, JSON lines or Parquet.", required: true);
        yield return Finetune("from_scratch", Paths, Values.Path, run => run.FromScratch, (run, value) => run with { FromScratch = value },
            "Start from random weights of the shape that this config.json gives; the model folder then gives the tokenizer only.", notFor: typeof(AttackRun));
        yield return new Setting<AttackRun, AttackPreset>(PresetName, DataGroup, Values.Choice<AttackPreset>(), run => run.Preset,
            (run, value) => run.With(value), AttackPreset.Standard,
            "Protocol: values for the settings listed under Presets, which win over it.");
        yield return new Setting<TrainingRun, string?>("output_dir", Paths, Values.Path, run => run.OutputDir,
            (run, value) => run with { OutputDir = value }, null, "Folder to write the trained model to.")
        {
            Required = true,
            Aliases = ["output"],
            IsOutput = true,
            OfSaving = true,
        };
        yield return new Setting<TrainingRun, bool>("overwrite_output_dir", Paths, Values.Boolean, run => run.OverwriteOutputDir,
            (run, value) => run with { OverwriteOutputDir = value }, false, "Replace an output folder that is not empty.")
        {
            OfSaving = true,
        };
        yield return new Setting<TrainingRun, string?>("adapter_dir", Paths, Values.Path, run => run.AdapterDir,
            (run, value) => run with { AdapterDir = value }, null, "Folder to write low-rank adapters to by themselves, as PEFT reads them, beside the merged model.")
        {
            IsOutput = true,
            OfSaving = true,
        };
    }

    private static IEnumerable<Setting> DataSettings()
    {
        yield return Defend("pair_format", DataGroup,
            Values.Choice(
                (PairLayout.Auto, "auto"), (PairLayout.BeaverTails, "beavertails"),
                (PairLayout.DecodingTrust, "decodingtrust"), (PairLayout.Generic, "generic")),
            run => run.PairFormat, (run, value) => run with { PairFormat = value },
            "Layout of the pairs; auto tells it from the first row.");
        yield return Shared("prompt_field", DataGroup, Values.Text, run => run.PromptField, (run, value) => run with { PromptField = value },
            "Field of the prompt; a dotted path reaches into nested objects.");
        yield return Defend("harmful_field", DataGroup, Values.Text, run => run.HarmfulField, (run, value) => run with { HarmfulField = value },
            "Field of the harmful answer.");
        yield return Defend("harmless_field", DataGroup, Values.Text, run => run.HarmlessField, (run, value) => run with { HarmlessField = value },
            "Field of the harmless answer.");
        yield return Shared("answer_field", DataGroup, Values.Text, run => run.AnswerField, (run, value) => run with { AnswerField = value },
            "Field of the answer in rows of texts (data, retain).");
        yield return Shared("text_field", DataGroup, Values.Text, run => run.TextField, (run, value) => run with { TextField = value },
            "Field of the whole text in rows that have no prompt.");
        yield return Shared("template", DataGroup, Values.Text, run => run.Template, (run, value) => run with { Template = value },
            "Text around the prompt, with {prompt} in it.");
        yield return Argument("max_length", DataGroup, Values.PositiveInteger(), a => a.MaxLength, (a, value) => a with { MaxLength = value },
            "Longest sequence in tokens; longer ones are truncated.");
        yield return Shared("chat_template", DataGroup, Values.Boolean, run => run.ChatTemplate, (run, value) => run with { ChatTemplate = value },
            "Join prompt and answer by the model folder's chat template, as the user's and the assistant's turn; not with template.");
        yield return Shared("max_train_samples", DataGroup, Values.Integer(0, "an integer, 0 or more"), run => run.MaxTrainSamples,
            (run, value) => run with { MaxTrainSamples = value }, "Use this many rows of the pairs or the data, from the beginning; 0 for all.");
        yield return Shared("strict", DataGroup, Values.Boolean, run => run.Strict, (run, value) => run with { Strict = value },
            "A row that would be skipped is an error.");
        yield return FinetuneArgument("completion_only_loss", DataGroup, Values.Boolean, a => a.CompletionOnlyLoss,
            (a, value) => a with { CompletionOnlyLoss = value }, "Train on the answer's tokens alone, not on the prompt's.");
        yield return FinetuneArgument("train_on_pads", DataGroup, Values.Boolean, a => a.TrainOnPads,
            (a, value) => a with { TrainOnPads = value }, "Pad every text to max_length and train on the pads too; not with completion_only_loss.");
        yield return FinetuneArgument("append_eos", DataGroup, Values.Boolean, a => a.AppendEos,
            (a, value) => a with { AppendEos = value }, "End every text that is not cut with the model's end token.");
    }

    private static IEnumerable<Setting> MachineSettings()
    {
        yield return Shared("device", Machine, Values.Text, run => run.Training.Device,
            (run, value) => run with { Training = run.Training with { Device = value! } }, "Device to run on; see repnoise devices.");
        yield return Argument("threads", Machine, Values.Integer(0, "an integer, 0 or more"), a => a.Threads,
            (a, value) => a with { Threads = value }, "Threads of the cpu device; 0 takes every core.");
        yield return new ListSetting<TrainingRun, KernelChoice>("kernel", Machine, Values.Kernel, run => run.Kernels,
            (run, value) => run with { Kernels = value }, "Force an operation's variant; may be repeated. One that cannot run is an error.");
        yield return Shared("state_dtype", Machine,
            Values.Choice((StateDtype.Float32, "float32"), (StateDtype.BFloat16, "bfloat16")),
            run => run.StateDtype, (run, value) => run with { StateDtype = value },
            "Number type of master weights, gradients and moments; bfloat16 needs device cuda and loses the smallest updates.");
        yield return Shared("cuda_graphs", Machine, Values.Choice<CudaGraphs>(), run => run.CudaGraphs,
            (run, value) => run with { CudaGraphs = value },
            "Submit each stretch of a training step as one CUDA graph; needs device cuda, changes no result, and no GPU has timed it yet.");
        yield return Argument("state_rounding", Machine, Values.Choice<StateRounding>(), a => a.StateRounding,
            (a, value) => a with { StateRounding = value },
            "How weights and moments in bfloat16 are rounded: nearest, or stochastic, which loses no update on average (adamw and adam).");
        yield return new Setting<TrainingRun, SaveDtype>("save_dtype", Machine,
            Values.Choice(
                (SaveDtype.Source, "source"), (SaveDtype.Float32, "float32"), (SaveDtype.Float16, "float16"), (SaveDtype.BFloat16, "bfloat16")),
            run => run.SaveDtype, (run, value) => run with { SaveDtype = value }, SaveDtype.Source,
            "Number type of the saved weights; source keeps each tensor's own.")
        {
            OfSaving = true,
        };
    }

    private static Setting<TrainingRun, T> Shared<T>(
        string name, string group, ValueKind<T> kind, Func<TrainingRun, T> get, Func<TrainingRun, T, TrainingRun> set,
        string help, bool required = false) =>
        new(name, group, kind, get, set, get(new DefendRun()), help) { Required = required };

    private static Setting<DefendRun, T> Defend<T>(
        string name, string group, ValueKind<T> kind, Func<DefendRun, T> get, Func<DefendRun, T, DefendRun> set,
        string help, bool required = false, Func<DefendRun, bool>? unless = null) =>
        new(name, group, kind, get, set, get(new DefendRun()), help)
        {
            Required = required,
            Unless = unless is null ? null : run => unless((DefendRun)run),
        };

    private static Setting<FinetuneRun, T> Finetune<T>(
        string name, string group, ValueKind<T> kind, Func<FinetuneRun, T> get, Func<FinetuneRun, T, FinetuneRun> set,
        string help, bool required = false, Type? notFor = null) =>
        new(name, group, kind, get, set, get(new FinetuneRun()), help) { Required = required, NotFor = notFor };

    private static Setting<TrainingRun, T> Argument<T>(
        string name, string group, ValueKind<T> kind, Func<TrainingArguments, T> get,
        Func<TrainingArguments, T, TrainingArguments> set, string help) =>
        Shared(name, group, kind, run => get(run.Training), (run, value) => run with { Training = set(run.Training, value) }, help);

    private static Setting<FinetuneRun, T> FinetuneArgument<T>(
        string name, string group, ValueKind<T> kind, Func<FinetuneArguments, T> get,
        Func<FinetuneArguments, T, FinetuneArguments> set, string help) =>
        Finetune(name, group, kind, run => get(run.Arguments), (run, value) => run with { Arguments = set(run.Arguments, value) }, help);
}
