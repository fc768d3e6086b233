using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Lists the devices that can be asked for and, where one cannot be used here, why; or writes out their kernels.</summary>
internal static class DevicesHandler
{
    public static int Run(DevicesOptions options, Terminal terminal, CancellationToken stop)
    {
        if (options.DumpPtx is { } folder) return Dump(folder, terminal, stop);
        var devices = Devices.List();
        int width = devices.Max(d => d.Name.Length);
        foreach (var device in devices)
        {
            terminal.Out.WriteLine($"{device.Name.PadRight(width)}  {device.Description}");
            if (device.Refusal is not null) terminal.Out.WriteLine($"{"".PadRight(width)}  not usable here: {device.Refusal}");
        }

        return ExitCodes.Done;
    }

    private static int Dump(string folder, Terminal terminal, CancellationToken stop)
    {
        try
        {
            Directory.CreateDirectory(folder);
            using var listing = new KernelListing();
            foreach (string name in KernelListing.Names)
            {
                stop.ThrowIfCancellationRequested();
                File.WriteAllText(Path.Combine(folder, name + ".ptx"), listing.Ptx(name));
                File.WriteAllText(Path.Combine(folder, name + ".cl"), listing.OpenCL(name));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException(folder, $"the kernels cannot be written: {e.Message}", "a folder that can be written to", "choose another folder", e);
        }

        terminal.Out.WriteLine($"{KernelListing.Names.Count} kernels as PTX and OpenCL C in {folder}");
        return ExitCodes.Done;
    }
}
