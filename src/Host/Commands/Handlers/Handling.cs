using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
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
        Generate = GenerateHandler.Run,
        Inspect = InspectHandler.Run,
        Tokenize = TokenizeHandler.Run,
        Verify = VerifyHandler.Run,
        Devices = DevicesHandler.Run,
        Demo = DemoHandler.Run,
    };

    /// <summary>A device by name; its refusals become messages for the option that named it.</summary>
    public static Device CreateDevice(string name, int threads, IReadOnlyList<KernelChoice> kernels, StateDtype state = StateDtype.Float32)
    {
        var options = new DeviceOptions
        {
            Threads = threads,
            Kernels = kernels.ToDictionary(k => k.Operation, k => k.Variant),
            StateFormat = state == StateDtype.BFloat16 ? NumberFormat.BFloat16 : null,
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

    /// <summary>The text template that a run names, or null.</summary>
    public static Template? TemplateOf(TrainingRun run) => run.Template is null ? null : Template.Parse(run.Template);

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
