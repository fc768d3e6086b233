using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Progress;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>A run as its output folder tells of it: its settings and the record of its steps.</summary>
/// <param name="Settings">As run.yaml has them.</param>
/// <param name="Metrics">As metrics.jsonl has them.</param>
internal sealed record RecordedRun(TrainingRun Settings, MetricsReader Metrics)
{
    /// <exception cref="InputException">The folder is not of a run, or names data and models that are not there.</exception>
    public static RecordedRun Open(string folder)
    {
        string path = Path.Combine(folder, RunConfiguration.FileName);
        if (!File.Exists(path))
            throw new InputException(folder, $"it holds no {RunConfiguration.FileName}", "the output folder of defend, finetune or attack", "check the path");
        var settings = ReadSettings(path);
        foreach (var setting in Configuration.Settings.Of(settings.GetType()).Where(setting => setting.Placeholder == Values.Path.Placeholder && !setting.IsOutput))
        {
            if (setting.Get(settings) is [var named] && !Path.Exists(named))
                throw new InputException(path, $"{setting.Name} is {named}, which is not there", "a path that exists, seen from this folder",
                    "run replay from the folder where the run began, or correct the path in the file");
        }

        return new RecordedRun(settings, new MetricsReader(Path.Combine(folder, MetricsWriter.FileName)));
    }

    private static TrainingRun ReadSettings(string path) => RunConfiguration.Read(RunConfiguration.Unnamed(path, []), path, []);
}
