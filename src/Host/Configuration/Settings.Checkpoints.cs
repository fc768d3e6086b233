namespace RepNoise.Host.Configuration;

internal static partial class Settings
{
    private static IEnumerable<Setting> CheckpointSettings()
    {
        yield return Saved("save_steps", Values.Integer(0, "an integer, 0 or more"), run => run.SaveSteps,
            (run, value) => run with { SaveSteps = value }, "Steps from one checkpoint to the next, in OUTPUT/checkpoint-STEP; 0 saves none.");
        yield return Saved("save_total_limit", Values.CountOrAll, run => run.SaveTotalLimit,
            (run, value) => run with { SaveTotalLimit = value }, "Checkpoints to keep, the latest ones; \"all\" keeps every one.");
        yield return Saved("resume_from_checkpoint", Values.PathOrTrue, run => run.ResumeFromCheckpoint,
            (run, value) => run with { ResumeFromCheckpoint = value },
            "Go on from this checkpoint; true takes the latest whole one of the output folder, and begins at step 1 where there is none.");
        yield return Saved("resume_despite_changes", Values.Boolean, run => run.ResumeDespiteChanges,
            (run, value) => run with { ResumeDespiteChanges = value },
            "Go on although settings or data have changed; what comes out is then no run that can be repeated.");
    }

    private static Setting<TrainingRun, T> Saved<T>(
        string name, ValueKind<T> kind, Func<TrainingRun, T> get, Func<TrainingRun, T, TrainingRun> set, string help) =>
        new(name, Checkpoint, kind, get, set, get(new DefendRun()), help) { OfSaving = true };
}
