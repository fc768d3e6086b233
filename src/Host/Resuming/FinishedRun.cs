using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Progress;

namespace RepNoise.Host.Resuming;

/// <summary>
/// A run that came to its end in its output folder and left no checkpoint there: started again to go on, it has nothing left to do.
/// With a checkpoint a finished run goes on from that, and comes to the same end again.
/// </summary>
/// <param name="Steps">Steps that it took.</param>
internal sealed record FinishedRun(int Steps)
{
    /// <summary>Settings that may differ between the run that finished and the one that asks; paths may not, as no contents are compared here.</summary>
    private static readonly HashSet<string> Free =
    [
        "overwrite_output_dir", "threads", "save_steps", "save_total_limit", "resume_from_checkpoint", "resume_despite_changes", "dump_tensors", "dump_steps", "dump_parts",
    ];

    /// <summary>What a run would find in its output folder, or null where that is not its own, not finished, or has checkpoints.</summary>
    public static FinishedRun? Find(TrainingRun run)
    {
        if (run.OutputDir is not { } output || CheckpointFolders.List(output).Count > 0) return null;
        string settings = Path.Combine(output, RunConfiguration.FileName), metrics = Path.Combine(output, MetricsWriter.FileName);
        if (!File.Exists(Path.Combine(output, ModelFolder.ConfigName)) || !File.Exists(settings) || !File.Exists(metrics)) return null;
        try
        {
            var earlier = RunConfiguration.Read(RunConfiguration.Unnamed(settings, []), settings, []);
            if (earlier.GetType() != run.GetType() || !SameSettings(earlier, run)) return null;
            var record = new MetricsReader(metrics);
            var arguments = run.Training;
            bool isFinished = arguments.MaxSteps > 0
                ? record.LastStep == arguments.MaxSteps
                : record.Value(record.LastStep, "epoch") >= arguments.NumTrainEpochs;
            return isFinished ? new FinishedRun(record.LastStep) : null;
        }
        catch (InputException)
        {
            return null; // not what a run writes: the check of the folder says what stands there
        }
    }

    private static bool SameSettings(TrainingRun earlier, TrainingRun run) => Settings.Of(run.GetType())
        .Where(setting => !Free.Contains(setting.Name))
        .All(setting => setting.Get(earlier).SequenceEqual(setting.Get(run)));
}
