using System.Diagnostics;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Profiling;

/// <summary>What recording costs: in an event by itself, and in a micro-batch with it against one without.</summary>
internal static class RecordingCost
{
    private const int Events = 50_000;

    /// <summary>Seconds from the begin to the end of an operation in which nothing happens, the median of several tries.</summary>
    public static double SecondsPerEvent(Device device)
    {
        using var recorder = new ProfileRecorder(device, Events);
        var tries = new List<long>();
        for (int attempt = 0; attempt < 7; attempt++)
        {
            recorder.Clear(Events);
            long begun = Stopwatch.GetTimestamp();
            for (int i = 0; i < Events; i++)
            {
                recorder.BeginOperation("nothing", default);
                recorder.End();
            }

            tries.Add(Stopwatch.GetTimestamp() - begun);
        }

        return ProfileTables.Quantile(tries, 0.5) / Events;
    }

    /// <summary>
    /// Runs one micro-batch again and again, with and without recording in turns, the order within a pair changing from pair to
    /// pair. The gradients it leaves are of no use.
    /// </summary>
    /// <returns>Median over the pairs of the time with recording over the time without, less 1.</returns>
    public static double Measure(ProfileRecorder recorder, ITrainingObjective objective, int batchSize, int layers, int pairs)
    {
        int[] examples = [.. Enumerable.Range(0, Math.Min(batchSize, objective.ExampleCount))];
        var report = new LossReport(layers);
        var ratios = new double[pairs];
        for (int pair = 0; pair < pairs; pair++)
        {
            long first = Run(recorded: pair % 2 == 0), second = Run(recorded: pair % 2 != 0);
            ratios[pair] = pair % 2 == 0 ? (double)first / second : (double)second / first;
        }

        Array.Sort(ratios);
        return (ratios[(pairs - 1) / 2] + ratios[pairs / 2]) / 2 - 1;

        long Run(bool recorded)
        {
            recorder.Clear(0);
            if (recorded) recorder.Attach();
            long begun = Stopwatch.GetTimestamp();
            objective.RunMicroBatch(examples, 0, 0, report);
            long ticks = Stopwatch.GetTimestamp() - begun;
            recorder.Detach();
            return ticks;
        }
    }
}
