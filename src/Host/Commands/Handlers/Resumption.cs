using RepNoise.Host.Configuration;
using RepNoise.Host.Resuming;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Finds the checkpoint that a run goes on from, and refuses one of another run.</summary>
/// <param name="run">What was asked for.</param>
/// <param name="terminal">Where the choice is told.</param>
internal sealed class Resumption(TrainingRun run, Terminal terminal)
{
    /// <param name="identity">Of this run; not null where it resumes.</param>
    /// <returns>The checkpoint, or null to begin at step 1.</returns>
    /// <exception cref="CheckpointException">The checkpoint is damaged, or of a run with other settings or data.</exception>
    public Checkpoint? Find(RunIdentity? identity)
    {
        if (run.ResumeFromCheckpoint is not { } wanted) return null;
        var checkpoint = wanted == "true" ? Checkpoint.Latest(run.OutputDir!, int.MaxValue, terminal.Error.WriteLine) : Checkpoint.Open(wanted);
        if (checkpoint is null)
        {
            terminal.Error.WriteLine($"{run.OutputDir} has no checkpoint yet: beginning at step 1.");
            return null;
        }

        Check(checkpoint, identity!.DifferencesFrom(checkpoint.Identity));
        terminal.Error.WriteLine($"Going on after step {checkpoint.Step}, from {checkpoint.Path}.");
        return checkpoint;
    }

    private void Check(Checkpoint checkpoint, IReadOnlyList<string> differences)
    {
        if (differences.Count == 0) return;
        string text = string.Join("; ", differences);
        if (!run.ResumeDespiteChanges)
            throw new CheckpointException(
                checkpoint.Path, $"this run is not the one that saved it: {text}", "the same settings and data",
                "put them back, or give --resume-despite-changes to go on all the same");
        terminal.Error.WriteLine($"Going on despite changes: {text}.");
    }
}
