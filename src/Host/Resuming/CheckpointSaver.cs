using RepNoise.Host.Checkpoints;
using RepNoise.Host.Progress;

namespace RepNoise.Host.Resuming;

/// <summary>
/// Saves a run's checkpoints between its steps. One that cannot be written for want of room or permission does not end the run,
/// which may still end well: it is told, and the checkpoints before it stay.
/// </summary>
/// <param name="output">The run's folder.</param>
/// <param name="every">Steps from one checkpoint to the next; 0 saves none.</param>
/// <param name="limit">Checkpoints that are kept; null keeps all.</param>
/// <param name="write">Writes a checkpoint's files into the folder it is given.</param>
/// <param name="tell">Takes a sentence.</param>
internal sealed class CheckpointSaver(string output, int every, int? limit, Action<string> write, Action<string> tell) : IStepObserver
{
    private int? saved;

    /// <inheritdoc/>
    public void OnStep(in StepReport report)
    {
        if (every > 0 && report.Step % every == 0 && report.Step < report.TotalSteps) Save(report.Step);
    }

    /// <summary>Saves a checkpoint where the run saves any and has none of this step.</summary>
    /// <param name="step">Steps done.</param>
    public void Save(int step)
    {
        if (every == 0 || step == 0 || saved == step) return;
        try
        {
            CheckpointFolders.Publish(output, step, write);
            saved = step;
            if (limit is { } count) CheckpointFolders.Prune(output, count);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ModelSaveException { Kind: ModelSaveError.Io })
        {
            string newest = CheckpointFolders.List(output) is [var (_, path), ..] ? $"{path} is the latest" : "there is none yet";
            tell($"{CheckpointFolders.NameOf(step)} could not be saved ({Quoted.Plain(error.Message).TrimEnd('.')}); the run goes on, {newest}.");
        }
    }
}
