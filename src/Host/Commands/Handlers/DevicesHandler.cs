using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>
/// Lists the devices that can be asked for and, where one cannot be used here, why; on request their kernels, or what those in C#
/// compile to.
/// </summary>
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

        if (!options.Kernels) return ExitCodes.Done;
        foreach (var device in devices)
        {
            terminal.Out.WriteLine();
            WriteKernels(device, terminal.Out);
        }

        return ExitCodes.Done;
    }

    private static void WriteKernels(DeviceInfo device, TextWriter output)
    {
        if (device.Kernels.Count == 0)
        {
            output.WriteLine($"{device.Name}: no variants to choose from");
            return;
        }

        output.WriteLine($"{device.Name}: --kernel FAMILY=VARIANT; * is chosen where none is forced");
        int width = device.Kernels.Max(family => family.Name.Length);
        foreach (var family in device.Kernels)
        {
            var variants = family.Variants.Where(v => v.Refusal is null).Select(v => v.Name + (v.Name == family.Automatic ? "*" : ""));
            output.WriteLine($"  {family.Name.PadRight(width)}  {string.Join(' ', variants.DefaultIfEmpty("none can run here"))}");
            output.WriteLine($"  {"".PadRight(width)}  for {string.Join(", ", family.Operations)}");
            foreach (var variant in family.Variants.Where(v => v.Refusal is not null))
            {
                output.WriteLine($"  {"".PadRight(width)}  not {variant.Name}: {variant.Refusal}");
            }
        }
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
