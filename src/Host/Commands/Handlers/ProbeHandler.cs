using System.Text.Json;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Evaluation.Probing;
using RepNoise.Host.Progress;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Looks into a model depth by depth.</summary>
internal static class ProbeHandler
{
    public static int Run(ProbeOptions options, Terminal terminal, CancellationToken stop)
    {
        if (options.Output is { } path && (Directory.Exists(path) || !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path)))))
            throw new InputException(path, Directory.Exists(path) ? "it is a folder" : "its folder is not there", "a file in a folder that is there", "choose another --output");
        var results = Measure(options, terminal, stop);
        if (options.Output is { } file) File.WriteAllText(file, JsonSerializer.Serialize(results, EvaluationResults.Json) + "\n");
        ProbeTable.Write(terminal.Out, results);
        return ExitCodes.Done;
    }

    /// <summary>The results, for programs that look into many models.</summary>
    public static ProbeResults Measure(ProbeOptions options, Terminal terminal, CancellationToken stop)
    {
        var progress = new CountedProgress(terminal);
        var texts = ProbeReader.Read(options.Data, options.Reading);
        ProbeResults results;
        using (var device = Handling.CreateDevice(options.Device, options.Threads, options.Kernels))
        using (var model = LoadedModel.Open(options.Model, device))
        {
            ulong[] seeds = [.. Enumerable.Range(0, options.Seeds).Select(i => unchecked(options.Seed + (ulong)i))];
            int probes = options.Seeds * (model.Config.NumHiddenLayers + 1);
            results = new Probe(model, texts, options.MaxLength).Run(
                options.Data, seeds, RunEnvironment.Versions, progress.Begin("activations: texts", texts.Count), progress.Begin("linear probes", probes), stop);
        }

        return options.Other is { } other ? WithDistance(results, options.Model, other, stop) : results;
    }

    private static ProbeResults WithDistance(ProbeResults results, string path, string otherPath, CancellationToken stop)
    {
        using var model = ModelFolder.Open(path);
        using var other = ModelFolder.Open(otherPath);
        var distance = WeightDistance.Of(model, other, stop);
        return results with
        {
            OtherModel = otherPath,
            Depths = [.. results.Depths.Select(depth => depth with { WeightDistance = depth.Depth == 0 ? distance.Embedding : distance.Layers[depth.Depth - 1] })],
            FinalNormDistance = distance.FinalNorm,
            HeadDistance = distance.Head,
        };
    }
}
