using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation.Verification;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Compares our engine with recorded values and fails where one is over its tolerance.</summary>
internal static class VerifyHandler
{
    public static int Run(VerifyOptions options, Terminal terminal, CancellationToken stop)
    {
        using var folder = ModelFolder.Open(options.Model);
        string path = options.Values ?? Path.Combine(folder.FullPath, "values.safetensors");
        if (!File.Exists(path))
            throw new InputException(path, "there is no such file", "values that another program computed",
                "make it with bench/pytorch/make_values.py MODEL OUT and name it with --values");
        using var values = new ReferenceValues(path);
        using var device = Handling.CreateDevice(options.Device, options.Threads, options.Kernels);
        var report = Verifier.Verify(folder.Config, folder.Read, values, device, options.GradientCheckpointing);
        report.WriteTo(terminal.Out);
        terminal.Out.WriteLine($"{(report.Passed ? "All" : "NOT all")} of {report.Rows.Sum(r => r.Tensors)} values within tolerance on {device.Description}.");
        return report.Passed ? ExitCodes.Done : ExitCodes.Failed;
    }
}
