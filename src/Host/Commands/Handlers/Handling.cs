using RepNoise.Host.ChatTemplates;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Small steps that several commands share.</summary>
internal static class Handling
{
    /// <summary>The table of every command.</summary>
    public static CommandHandlers All { get; } = new()
    {
        Defend = DefendHandler.Run,
        Finetune = FinetuneHandler.Run,
        Attack = AttackHandler.Run,
        Generate = GenerateHandler.Run,
        Evaluate = EvaluateHandler.Run,
        Overlap = OverlapHandler.Run,
        Probe = ProbeHandler.Run,
        Inspect = InspectHandler.Run,
        Tokenize = TokenizeHandler.Run,
        Verify = VerifyHandler.Run,
        Plan = PlanHandler.Run,
        Profile = ProfileHandler.Run,
        Replay = ReplayHandler.Run,
        Compare = CompareHandler.Run,
        Devices = DevicesHandler.Run,
        Bench = BenchHandler.Run,
        BenchKernel = BenchKernelHandler.Run,
        Experiment = ExperimentHandler.Run,
        Report = ReportHandler.Run,
        Demo = DemoHandler.Run,
    };

    /// <summary>A device by name; its refusals become messages for the option that named it.</summary>
    public static Device CreateDevice(string name, int threads, IReadOnlyList<KernelChoice> kernels, StateDtype state = StateDtype.Float32, CudaGraphs graphs = CudaGraphs.Off)
    {
        if (kernels.GroupBy(kernel => kernel.Operation).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new UsageException("--kernel", $"{twice.Key} is given {twice.Count()} times", "one variant for a family", "keep the one you mean");
        var options = new DeviceOptions
        {
            Threads = threads,
            Kernels = kernels.ToDictionary(k => k.Operation, k => k.Variant),
            StateFormat = state == StateDtype.BFloat16 ? NumberFormat.BFloat16 : null,
            CudaGraphs = graphs == CudaGraphs.On,
        };
        try
        {
            return Devices.Create(name, options);
        }
        catch (DeviceException exception)
        {
            throw new InputException($"device {name}", exception.Problem, "a device and kernels that this machine has", exception.Remedy, exception);
        }
    }

    /// <summary>The device that a run trains on.</summary>
    public static Device CreateDevice(TrainingRun run) => CreateDevice(run.Training.Device, run.Training.Threads, run.Kernels, run.StateDtype, run.CudaGraphs);

    /// <summary>The text template that a run names, or null.</summary>
    public static Template? TemplateOf(TrainingRun run) => run.ChatTemplate
        ? Template.OfChat(ChatTemplate.Load(PeftAdapter.ModelFolderOf(run.Model!)))
        : run.Template is null ? null : Template.Parse(run.Template);

    /// <summary>How a run's file of pairs is read.</summary>
    public static PairOptions PairOptionsOf(DefendRun run) => new()
    {
        Layout = run.PairFormat,
        PromptField = run.PromptField,
        HarmfulField = run.HarmfulField,
        HarmlessField = run.HarmlessField,
        Template = TemplateOf(run),
    };

    /// <summary>How a run's files of texts are read.</summary>
    /// <param name="run">The run.</param>
    /// <param name="acceptsPairs">True takes a file of pairs too, and of them the harmful answers.</param>
    public static ExampleOptions ExampleOptionsOf(TrainingRun run, bool acceptsPairs = false) => new()
    {
        AcceptsPairs = acceptsPairs,
        TextField = run.TextField,
        PromptField = run.PromptField,
        AnswerField = run.AnswerField,
        Template = TemplateOf(run),
    };

    /// <summary>Id of the pads that face text: the model's own, else its first end id, else 0.</summary>
    public static int PadIdOf(ModelConfig config) => config.PadTokenId ?? (config.EosTokenIds.Count > 0 ? config.EosTokenIds[0] : 0);

    /// <summary>Refuses layers of the noise term that the model does not have.</summary>
    public static void CheckNoiseLayers((int First, int Last)? range, int layers)
    {
        if (range is var (first, last) && last >= layers)
            throw new InputException("repnoise_noise_layers", $"it is {first}-{last}", $"layers 0-{layers - 1}, which the model has",
                "name layers of this model, or all");
    }

    /// <summary>Refuses parts that the model does not have, and a run that would train nothing.</summary>
    public static void CheckParts(TrainingArguments arguments, ModelConfig config)
    {
        int layers = config.NumHiddenLayers;
        foreach (var part in arguments.Freeze)
        {
            if (part.Kind == PartKind.Layers && part.Last >= layers)
                throw new InputException("freeze", $"found \"{Values.ModelPart.Format(part)}\"", $"layers 0-{layers - 1}, which the model has", "name layers of this model");
        }

        var trained = arguments.Trained;
        bool layersLeft = Enumerable.Range(0, layers).Any(layer => !trained.FreezesLayer(layer));
        bool restLeft = trained.Lora is null
            && (!trained.Freezes(PartKind.Norm) || (!trained.Freezes(PartKind.Embed) && !(config.TieWordEmbeddings && trained.Freezes(PartKind.Head)))
                || (!trained.Freezes(PartKind.Head) && !config.TieWordEmbeddings));
        if (!layersLeft && !restLeft)
            throw new InputException("freeze", "it leaves nothing to train", trained.Lora is null ? "a part of the model that is not frozen" : "a layer that is not frozen, for its adapters",
                "name fewer parts");
    }

    /// <summary>The id that ends a text: the model's first end id.</summary>
    public static int EosIdOf(ModelConfig config) => config.EosTokenIds.Count > 0
        ? config.EosTokenIds[0]
        : throw new InputException("append_eos", "the model's config.json names no eos_token_id", "a model with an end token", "leave append_eos out");

    public static DType? DTypeOf(SaveDtype choice) => choice switch
    {
        SaveDtype.Float32 => DType.F32,
        SaveDtype.Float16 => DType.F16,
        SaveDtype.BFloat16 => DType.BF16,
        _ => null,
    };

    /// <summary>A folder's weights on a device, for forward passes.</summary>
    public static ModelParameters LoadForInference(ModelFolder folder, Device device)
    {
        var parameters = new ModelParameters(folder.Config, device, ParameterUse.Inference);
        parameters.Load(folder.Read);
        return parameters;
    }
}
