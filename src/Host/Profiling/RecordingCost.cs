using System.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Profiling;

/// <summary>What recording costs: in an event by itself, and in a micro-batch with it against one without.</summary>
internal static class RecordingCost
{
    private const int Events = 50_000;

    private static readonly RecorderCapacity Room = new(Events, Events, 0);

    /// <summary>Seconds from the begin to the end of an operation in which nothing happens, the median of several tries.</summary>
    public static double SecondsPerEvent(Device device)
    {
        using var recorder = new ProfileRecorder(device, Room);
        var tries = new List<long>();
        for (int attempt = 0; attempt < 7; attempt++)
        {
            recorder.Clear(Room);
            long begun = Stopwatch.GetTimestamp();
            for (int i = 0; i < Events; i++)
            {
                recorder.BeginOperation("nothing", default);
                recorder.OnWork(0, begun, begun);
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
    /// <returns>
    /// Time with recording over time without, less 1: the median over the pairs, and the fastest of all with against the fastest of
    /// all without, which neighbours on the machine disturb least.
    /// </returns>
    public static (double Median, double Fastest) Measure(
        Device device, ProfileRecorder recorder, ITrainingObjective objective, int batchSize, int layers, int pairs)
    {
        int[] examples = [.. Enumerable.Range(0, Math.Min(batchSize, objective.ExampleCount))];
        var report = new LossReport(layers);
        var (with, without, ratios) = (new long[pairs], new long[pairs], new double[pairs]);
        for (int pair = 0; pair < pairs; pair++)
        {
            bool recordsFirst = pair % 2 == 0;
            long first = Run(recordsFirst), second = Run(!recordsFirst);
            (with[pair], without[pair]) = recordsFirst ? (first, second) : (second, first);
            ratios[pair] = with[pair] / (double)without[pair];
        }

        Array.Sort(ratios);
        return ((ratios[(pairs - 1) / 2] + ratios[pairs / 2]) / 2 - 1, with.Min() / (double)without.Min() - 1);

        long Run(bool recorded)
        {
            recorder.Clear(default);
            if (recorded) recorder.Attach();
            long begun = Stopwatch.GetTimestamp();
            using (device.Scope(Phase.Step, 1))
            using (device.Scope(Phase.MicroBatch, 0))
            {
                objective.RunMicroBatch(examples, 0, 0, report);
            }

            long ticks = Stopwatch.GetTimestamp() - begun;
            recorder.Detach();
            return ticks;
        }
    }
}
