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
    /// What recording adds to a micro-batch: by the clock; in the time of processors that this process was given, which other work on the machine lengthens less; and,
    /// where the device can tell, by the multiply-adds that it could have done meanwhile, as it showed right before and right after, which takes
    /// out what the clock of the processor did.
    /// </returns>
    public static RecordingOverhead Measure(
        Device device, ProfileRecorder recorder, ITrainingObjective objective, int batchSize, int layers, int pairs)
    {
        int[] examples = [.. Enumerable.Range(0, Math.Min(batchSize, objective.ExampleCount))];
        var report = new LossReport(layers);
        var (clock, processors, work) = (new double[pairs], new double[pairs], new double[pairs]);
        for (int pair = 0; pair < pairs; pair++)
        {
            bool recordsFirst = pair % 2 == 0;
            var first = Run(recordsFirst);
            var second = Run(!recordsFirst);
            var (with, without) = recordsFirst ? (first, second) : (second, first);
            (clock[pair], processors[pair], work[pair]) = (with.Clock / without.Clock, with.Processors / without.Processors, with.Work / without.Work);
        }

        return new RecordingOverhead(
            new PairedRatios(clock), new PairedRatios(processors), device.MeasureMultiplyAdds() is null ? null : new PairedRatios(work));

        (double Clock, double Processors, double Work) Run(bool recorded)
        {
            recorder.Clear(default);
            double before = device.MeasureMultiplyAdds() ?? 1;
            if (recorded) recorder.Attach();
            var used = Environment.CpuUsage.TotalTime;
            long begun = Stopwatch.GetTimestamp();
            using (device.Scope(Phase.Step, 1))
            using (device.Scope(Phase.MicroBatch, 0))
            {
                objective.RunMicroBatch(examples, 0, 0, report);
            }

            double seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            double processorSeconds = (Environment.CpuUsage.TotalTime - used).TotalSeconds;
            recorder.Detach();
            return (seconds, processorSeconds, seconds * (before + (device.MeasureMultiplyAdds() ?? 1)) / 2);
        }
    }
}

/// <summary>Micro-batches with recording over micro-batches without.</summary>
/// <param name="Clock">Time.</param>
/// <param name="Processors">Time of processors.</param>
/// <param name="Work">Time at an equal clock of the processor, or null.</param>
internal sealed record RecordingOverhead(PairedRatios Clock, PairedRatios Processors, PairedRatios? Work);
