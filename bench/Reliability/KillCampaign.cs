using RepNoise.Host.Resuming;

namespace RepNoise.Reliability;

/// <summary>What came of killing a run again and again.</summary>
/// <param name="Kills">How often it was killed.</param>
/// <param name="InsideSaves">How often that left a half-written checkpoint.</param>
/// <param name="Damaged">Checkpoints with their final name that were not whole: none, if the program keeps its word.</param>
/// <param name="StepsLost">For each kill, the steps that had to be run again.</param>
/// <param name="Difference">What the run, once let through, gave that the uninterrupted one did not; null for nothing.</param>
internal sealed record KillReport(int Kills, int InsideSaves, IReadOnlyList<string> Damaged, IReadOnlyList<int> StepsLost, string? Difference);

/// <summary>
/// Kills a training run with SIGKILL at random instants, and while it saves a checkpoint, starts it again with the same line each
/// time, and compares what it ends with to an uninterrupted run.
/// </summary>
/// <param name="line">The run without its output, with <c>--save-steps</c>.</param>
/// <param name="folder">Takes the output folders <c>whole</c> and <c>killed</c>.</param>
/// <param name="seed">Of the instants.</param>
internal sealed class KillCampaign(string[] line, string folder, int seed)
{
    private readonly Random random = new(seed);
    private readonly string whole = Path.Combine(folder, "whole");
    private readonly string killed = Path.Combine(folder, "killed");

    /// <param name="kills">How many; every second one waits for a save to begin.</param>
    /// <param name="stepsPerLife">Most steps that a process is given before it is killed.</param>
    /// <param name="tell">Takes progress.</param>
    public KillReport Run(int kills, int stepsPerLife, Action<string> tell)
    {
        var full = Child.Run([.. line, "--output", whole]);
        if (full.Code != 0) throw new InvalidOperationException("the uninterrupted run failed: " + full.Error);
        var (damaged, lost, inside, done) = (new List<string>(), new List<int>(), 0, 0);
        while (done < kills)
        {
            using var child = Child.Start([.. line, "--output", killed, "--resume-from-checkpoint", "true"]);
            bool alive = done % 2 == 0 ? AtRandom(child, stepsPerLife) : InSave(child);
            if (!alive)
            {
                // It came to its end first: begin again, there is nothing left to interrupt.
                var ended = child.Wait();
                if (ended.Code != 0) throw new InvalidOperationException("the run failed: " + ended.Error);
                if (RunFiles.Difference(whole, killed) is { } early) return new KillReport(done, inside, damaged, lost, early);
                Directory.Delete(killed, recursive: true);
                continue;
            }

            child.Kill();
            child.Wait();
            done++;
            inside += HalfWritten() ? 1 : 0;
            damaged.AddRange(CheckpointFolders.List(killed).Select(c => (c.Path, Problem: CheckpointManifest.Problem(c.Path, c.Step)))
                .Where(c => c.Problem is not null).Select(c => $"{c.Path}: {c.Problem}"));
            lost.Add(RunFiles.Steps(killed) - (CheckpointFolders.List(killed) is [var latest, ..] ? latest.Step : 0));
            if (done % 10 == 0) tell($"{done} kills, {inside} of them inside a save, {lost.Max()} steps lost at most");
        }

        var last = Child.Run([.. line, "--output", killed, "--resume-from-checkpoint", "true"]);
        return new KillReport(done, inside, damaged, lost, last.Code == 0 ? RunFiles.Difference(whole, killed) : last.Error);
    }

    private bool HalfWritten() =>
        Directory.Exists(killed) && Directory.EnumerateDirectories(killed, ".checkpoint-*").Any();

    private bool AtRandom(Child child, int stepsPerLife)
    {
        int before = RunFiles.Steps(killed), more = random.Next(stepsPerLife);
        if (more == 0)
        {
            // Before the first step too: while the program starts, reads its checkpoint or puts the metrics in place.
            Thread.Sleep(random.Next(400));
            return !child.HasExited;
        }

        return child.Until(() => RunFiles.Steps(killed) is var now && (now >= before + more || (now < before && now >= more)));
    }

    private bool InSave(Child child)
    {
        // What the last life left is removed first; the folder that appears after that is this life's.
        if (!child.Until(() => !HalfWritten()) || !child.Until(HalfWritten, busy: true)) return false;
        int spins = random.Next(200_000);
        Thread.SpinWait(spins);
        return !child.HasExited;
    }
}
