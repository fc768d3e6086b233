using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Prints what a model folder holds.</summary>
internal static class InspectHandler
{
    public static int Run(InspectOptions options, Terminal terminal, CancellationToken stop)
    {
        using var folder = ModelFolder.Open(options.Model);
        ModelInspection.Of(folder).WriteTo(terminal.Out);
        return ExitCodes.Done;
    }
}
