using System.Globalization;
using RepNoise.Host.Comparison;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Progress;
using RepNoise.Host.Resuming;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>
/// Runs a run's steps again up to one of them and compares each with its record: from the last checkpoint before it, or from where
/// the run began. Data order and noise are functions of seed and step, and come again by themselves.
/// </summary>
internal static class ReplayHandler
{
    public static int Run(ReplayOptions options, Terminal terminal, CancellationToken stop)
    {
        var recorded = RecordedRun.Open(options.Run);
        var run = Configure(recorded.Settings, options);
        bool sameDevice = run.Training.Device == recorded.Settings.Training.Device && run.Kernels.SequenceEqual(recorded.Settings.Kernels);
        options.Dump?.CheckFolder();
        using var session = new TrainingSession(run, terminal);
        var checkpoint = StartOf(options, recorded.Settings, run, session, terminal);
        using var training = session.Load(checkpoint);
        int first = training.Trainer.StepsDone + 1;
        CheckStep(options, training, recorded.Metrics, terminal);
        var numbers = new StepNumbers();
        int? firstDifference = null;
        using (options.Dump?.Attach(session.Device))
        {
            var display = new ProgressDisplay(terminal);
            display.Track(() =>
            {
                while (numbers.Step < options.Step && !stop.IsCancellationRequested)
                {
                    training.Trainer.RunStep([numbers, display]);
                    if (firstDifference is null && Differs(recorded.Metrics, numbers)) firstDifference = numbers.Step;
                }

                return numbers.Step;
            });
        }

        if (numbers.Step < options.Step) return ExitCodes.Interrupted;
        WriteTable(recorded.Metrics, numbers, terminal.Out);
        return Judge(options, recorded.Metrics, numbers, first, firstDifference, sameDevice, terminal.Out);
    }

    /// <summary>
    /// The last checkpoint before the step; null where there is none, or where inputs or settings are not those of the run any more.
    /// </summary>
    private static Checkpoint? StartOf(ReplayOptions options, TrainingRun recorded, TrainingRun run, TrainingSession session, Terminal terminal)
    {
        if (options.FromStart || CheckpointFolders.List(options.Run).All(folder => folder.Step >= options.Step)) return null;
        var checkpoint = Checkpoint.Latest(options.Run, options.Step, terminal.Error.WriteLine)!;
        var asRecorded = RunIdentity.Of(recorded, session.Device) with { Kernels = checkpoint.Identity.Kernels };
        if (asRecorded.DifferencesFrom(checkpoint.Identity) is [var difference, ..])
        {
            terminal.Error.WriteLine($"{checkpoint.Path} is not used: {difference}.");
            return null;
        }

        terminal.Error.WriteLine($"Going on from {checkpoint.Path}.");
        return checkpoint;
    }

    /// <summary>The run on the device that was asked for, saving and dumping nothing by itself.</summary>
    private static TrainingRun Configure(TrainingRun run, ReplayOptions options)
    {
        var training = run.Training with
        {
            Device = options.Device ?? run.Training.Device,
            Threads = options.Threads ?? run.Training.Threads,
        };
        bool sameDevice = training.Device == run.Training.Device, keepsKernels = options.Kernels.Count == 0 && sameDevice;
        var graphs = sameDevice && options.Dump is null ? run.CudaGraphs : CudaGraphs.Off; // the bits are the same without
        return run with { Training = training, Kernels = keepsKernels ? run.Kernels : options.Kernels, CudaGraphs = graphs, OutputDir = null, DumpTensors = null, ResumeFromCheckpoint = null };
    }

    private static void CheckStep(ReplayOptions options, LoadedTraining training, MetricsReader metrics, Terminal terminal)
    {
        if (options.Step > training.Trainer.TotalSteps)
            throw new UsageException("--step", $"found {options.Step}", $"a step of the run, 1 to {training.Trainer.TotalSteps}", "correct the value");
        if (!metrics.Has(options.Step))
            terminal.Error.WriteLine($"The record ends at step {metrics.LastStep}: step {options.Step} runs, with nothing to compare it with.");
    }

    private static bool Differs(MetricsReader metrics, StepNumbers numbers) =>
        metrics.Has(numbers.Step) && numbers.Values.Any(number => !IsEqual(number.Value, metrics.Value(numbers.Step, number.Name)));

    private static bool IsEqual(double value, double? record) => record is { } other && value.Equals(other);

    private static void WriteTable(MetricsReader metrics, StepNumbers numbers, TextWriter writer)
    {
        string[] header = ["", "recorded", "replayed", "relative", "ulp"];
        TextTable.Write(writer, [header, .. numbers.Values.Select(number => Row(number.Name, metrics.Value(numbers.Step, number.Name), number.Value))], column => column >= 1);
        writer.WriteLine();
    }

    private static string[] Row(string name, double? record, double value)
    {
        var culture = CultureInfo.InvariantCulture;
        if (record is not { } other) return [name, "-", value.ToString("R", culture), "-", "-"];
        return
        [
            name, other.ToString("R", culture), value.ToString("R", culture), Relative(value, other).ToString("0.0e-00", culture),
            Ulps.Between(value, other, Checkpoints.DType.F64).ToString("0", culture),
        ];
    }

    private static double Relative(double value, double record) => value.Equals(record) ? 0 : Math.Abs(value - record) / Math.Abs(record);

    private static int Judge(
        ReplayOptions options, MetricsReader metrics, StepNumbers numbers, int first, int? firstDifference, bool sameDevice, TextWriter writer)
    {
        if (!metrics.Has(options.Step)) return ExitCodes.Done;
        if (firstDifference is null)
        {
            writer.WriteLine($"Steps {first} to {options.Step}: every number equals its record to the bit.");
            return ExitCodes.Done;
        }

        writer.WriteLine($"Step {firstDifference} is the first that differs from its record.");
        if (options.RelativeTolerance is { } rtol)
        {
            double worst = numbers.Values.Max(number => metrics.Value(numbers.Step, number.Name) is { } record ? Relative(number.Value, record) : double.NaN);
            bool passes = worst <= rtol;
            writer.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"Step {options.Step}: largest relative difference {worst:0.0e-00}, {(passes ? "within" : "OVER")} --rtol {rtol:0.0##e-00}."));
            return passes ? ExitCodes.Done : ExitCodes.Failed;
        }

        writer.WriteLine(sameDevice
            ? "On the run's own device the bits should be equal: other data or weights, another build of this program, or another kind of processor explain a difference."
            : "On another device or with other kernels other bits are to be expected; --rtol sets what is too much.");
        return sameDevice ? ExitCodes.Failed : ExitCodes.Done;
    }
}
