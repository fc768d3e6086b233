using System.Globalization;
using System.Text.Json;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Dumps;
using RepNoise.Host.Profiling;
using RepNoise.Host.Progress;
using RepNoise.Kernels;
using RepNoise.Kernels.Cpu;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Records steps of a defence and shows where their time went.</summary>
internal static class ProfileHandler
{
    /// <summary>Room for one step of a small model, before it is known how much a step takes.</summary>
    private static readonly RecorderCapacity FirstRoom = new(4096, 4096, 64);

    /// <summary>Fewer pairs than these say nothing on a machine that others use too.</summary>
    private const int LeastPairs = 60;

    public static int Run(ProfileRun run, Terminal terminal, CancellationToken stop)
    {
        CheckDump(run);
        CheckFile("trace", run.Trace);
        CheckFile("json", run.Json);

        // The schedule must not end before the steps do.
        run = run with { Arguments = run.Arguments with { MaxSteps = Math.Max(run.Arguments.MaxSteps, run.SkipSteps + run.Steps) } };
        using var session = new TrainingSession(run, terminal);
        var device = session.Device;
        var limits = device.MeasureLimits();
        using var training = session.Load();
        string reason = "";
        using var misses = device is CpuDevice ? CacheMissCounters.Open(out reason) : null;
        using var recorder = new ProfileRecorder(device, FirstRoom, misses);
        var display = new ProgressDisplay(terminal);
        display.Track(() => Record(run, training, recorder, display, stop));
        if (recorder.Events.IsEmpty) return ExitCodes.Interrupted;

        var profile = Profile.Of(recorder.Events, recorder.Work, limits);
        double events = recorder.Events.Length / (double)profile.StepTicks.Count;
        double cost = RecordingCost.SecondsPerEvent(device);
        terminal.Out.WriteLine($"{run.Model}, {run.Pairs}, on {device.Description}");
        new ProfileTables(profile, limits, misses is null ? reason : null, terminal.Out).Write();
        terminal.Out.WriteLine();
        terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Recording: {events:0} events a step at {cost * 1e9:0} ns, {100 * cost * events / ProfileTables.Quantile(profile.StepTicks, 0.5):0.000} % of a step."));
        WriteTrace(run, recorder, limits, terminal);
        WriteJson(run, profile, limits, device, events, cost, terminal);
        if (run.Overhead && !stop.IsCancellationRequested) MeasureOverhead(run, session, training, recorder, terminal);
        return stop.IsCancellationRequested ? ExitCodes.Interrupted : ExitCodes.Done;
    }

    /// <summary>The steps that are skipped, the last of them recorded to see how much room a step needs; then those that count.</summary>
    private static int Record(ProfileRun run, LoadedTraining training, ProfileRecorder recorder, ProgressDisplay display, CancellationToken stop)
    {
        var dump = DumpOptions.Of(run)?.Attach(training.Parameters.Device);
        try
        {
            for (int step = 1; step <= run.SkipSteps && !stop.IsCancellationRequested; step++)
            {
                if (dump is null && step == run.SkipSteps) recorder.Attach();
                training.Trainer.RunStep([display]);
            }
        }
        finally
        {
            dump?.Dispose();
        }

        recorder.Clear((dump is null ? recorder.Used : FirstRoom).Times(run.Steps));
        recorder.Attach();
        for (int step = 0; step < run.Steps && !stop.IsCancellationRequested; step++) training.Trainer.RunStep([display]);
        recorder.Detach();
        return run.Steps;
    }

    private static void MeasureOverhead(
        ProfileRun run, TrainingSession session, LoadedTraining training, ProfileRecorder recorder, Terminal terminal)
    {
        int pairs = Math.Max(LeastPairs, run.Steps);
        var overhead = RecordingCost.Measure(
            session.Device, recorder, training.Objective, run.Arguments.PerDeviceTrainBatchSize, session.LayerCount, pairs);
        terminal.Out.WriteLine(
            $"The same micro-batch with and without recording, {pairs} pairs in turns, with 95 % intervals: time {overhead.Clock}, " +
            $"processor time {overhead.Processors}{(overhead.Work is { } work ? $", time at an equal clock {work}" : "")}.");
    }

    private static void CheckDump(ProfileRun run)
    {
        if (run.DumpTensors is not null && run.DumpSteps.Last > run.SkipSteps)
            throw new UsageException("--dump-steps", $"names step {run.DumpSteps.Last}, which is recorded",
                $"steps up to skip_steps = {run.SkipSteps}", "raise --skip-steps, or dump with defend");
    }

    /// <summary>Refuses a file that could not be written before the steps cost time.</summary>
    private static void CheckFile(string name, string? path)
    {
        if (path is null) return;
        if (Directory.Exists(path)) throw new InputException(name, $"{path} is a folder", "a file to write", "name a file in it");
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            throw new InputException(name, $"the folder {folder} does not exist", "a file in a folder that is there", "make the folder first");
    }

    private static void WriteTrace(ProfileRun run, ProfileRecorder recorder, DeviceLimits? limits, Terminal terminal)
    {
        if (run.Trace is null) return;
        using var stream = File.Create(run.Trace);
        ChromeTrace.Write(stream, recorder, limits, $"repnoise profile {run.Model}");
        terminal.Error.WriteLine($"Wrote the timeline to {run.Trace}; open it in ui.perfetto.dev.");
    }

    private static void WriteJson(
        ProfileRun run, Profile profile, DeviceLimits? limits, Device device, double events, double cost, Terminal terminal)
    {
        if (run.Json is null) return;
        using var stream = File.Create(run.Json);
        ProfileJson.Write(stream, profile, limits, json => Describe(json, run, device, events, cost));
        terminal.Error.WriteLine($"Wrote the tables to {run.Json}.");
    }

    private static void Describe(Utf8JsonWriter json, ProfileRun run, Device device, double events, double cost)
    {
        json.WriteString("model", run.Model);
        json.WriteString("pairs", run.Pairs);
        json.WriteString("device", device.Name);
        json.WriteString("device_description", device.Description);
        json.WriteString("version", VersionAction.Current);
        json.WriteNumber("steps", run.Steps);
        json.WriteNumber("skip_steps", run.SkipSteps);
        json.WriteNumber("per_device_train_batch_size", run.Arguments.PerDeviceTrainBatchSize);
        json.WriteNumber("gradient_accumulation_steps", run.Arguments.GradientAccumulationSteps);
        json.WriteNumber("max_length", run.Arguments.MaxLength);
        json.WriteNumber("device_bytes", device.PeakAllocatedBytes);
        json.WriteNumber("events_per_step", events);
        json.WriteNumber("recording_seconds_per_event", cost);
    }
}
