using RepNoise.Kernels;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Lists the devices that can be asked for and, where one cannot be used here, why.</summary>
internal static class DevicesHandler
{
    public static int Run(Terminal terminal, CancellationToken stop)
    {
        var devices = Devices.List();
        int width = devices.Max(d => d.Name.Length);
        foreach (var device in devices)
        {
            terminal.Out.WriteLine($"{device.Name.PadRight(width)}  {device.Description}");
            if (device.Refusal is not null) terminal.Out.WriteLine($"{"".PadRight(width)}  not usable here: {device.Refusal}");
        }

        return ExitCodes.Done;
    }
}
