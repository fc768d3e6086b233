using System.Globalization;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Dumps;
using RepNoise.Host.Model;
using RepNoise.Host.Progress;
using RepNoise.Host.Resuming;
using RepNoise.Host.Tokenizers;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>
/// What every command that trains does alike: open model, tokenizer and device, check the output before anything costs time, read
/// the data; and for those that save, train with progress and metrics, and save.
/// </summary>
internal sealed class TrainingSession : IDisposable
{
    /// <summary>Folder beside a failed run's files with the weights before the step that failed.</summary>
    public const string LastGoodFolder = "last-good";

    private readonly TrainingRun run;
    private readonly TrainingArguments arguments;
    private readonly Terminal terminal;
    private readonly ModelSource source;
    private readonly Tokenizer tokenizer;
    private readonly SaveOptions saving;
    private readonly DumpOptions? dump;
    private readonly FinishedRun? finishedRun;

    /// <param name="run">What was asked for; a run without an output folder is not saved.</param>
    /// <param name="terminal">Where progress goes.</param>
    public TrainingSession(TrainingRun run, Terminal terminal)
    {
        (this.run, this.terminal) = (run, terminal);
        TrainingData.Check(run);
        arguments = run.Training;
        source = TrainingData.SourceOf(run);
        saving = new SaveOptions { SaveDType = Handling.DTypeOf(run.SaveDtype), Overwrite = run.OverwriteOutputDir };
        Handling.CheckParts(arguments, source.Config);
        dump = DumpOptions.Of(run);
        dump?.CheckFolder();
        finishedRun = run.ResumeFromCheckpoint == "true" ? FinishedRun.Find(run) : null;
        if (run.OutputDir is not null && finishedRun is null) CheckOutput(run.OutputDir);
        tokenizer = Tokenizer.Load(source.TokenizerFolder);
        Device = Handling.CreateDevice(run);
    }

    public Device Device { get; }

    /// <summary>Id of the pads that face text: the model's own, else its first end id, else 0.</summary>
    public int PadId => Handling.PadIdOf(source.Config);

    /// <summary>Id that ends a text.</summary>
    public int EosId => Handling.EosIdOf(source.Config);

    public int LayerCount => source.Config.NumHiddenLayers;

    public int[] Encode(string text) => tokenizer.Encode(text, addSpecialTokens: !run.ChatTemplate);

    /// <summary>Options of tokenisation under this run.</summary>
    /// <param name="completionOnly">Only the answer's tokens are targets.</param>
    public Data.TokenizeOptions Tokenization(bool completionOnly) => new()
    {
        MaxLength = arguments.MaxLength,
        PadId = PadId,
        VocabSize = source.Config.VocabSize,
        Strict = run.Strict,
        CompletionOnly = completionOnly,
    };

    /// <summary>Says what was read, and refuses data without a usable row or longer than the model's positions.</summary>
    public void Describe(string what, string path, TokenizeSummary summary, int leftOut)
    {
        var text = new List<string> { $"{what}: {summary.Used} of {summary.Read + leftOut} from {path}" };
        if (leftOut > 0) text.Add($"{leftOut} left out as not harmful");
        if (summary.NoTarget > 0) text.Add($"{summary.NoTarget} without a countable target");
        if (summary.Empty > 0) text.Add($"{summary.Empty} empty");
        if (summary.Truncated > 0) text.Add($"{summary.Truncated} cut to {arguments.MaxLength} tokens");
        text.Add($"longest {summary.Longest} tokens");
        terminal.Error.WriteLine(string.Join(", ", text));
        if (summary.Used == 0)
            throw new InputException(path, "no row can be used", "at least one with a countable target", "see the counts above; --strict names the first such row");
        if (summary.Longest > source.Config.MaxPositionEmbeddings)
            throw new InputException(path, $"the longest text has {summary.Longest} tokens",
                $"at most max_position_embeddings = {source.Config.MaxPositionEmbeddings} of the model", "set --max-length to that");
    }

    /// <summary>Reads the data, fills the weights and plans all memory: ready for the next step.</summary>
    /// <param name="checkpoint">Where to go on; null begins at step 1.</param>
    public LoadedTraining Load(Checkpoint? checkpoint = null)
    {
        var makeObjective = TrainingData.Read(this, run, terminal);
        terminal.Error.WriteLine(Device.Description);
        if (Device.Captures is not null) WriteUncaptured();
        var training = new LoadedTraining(source, Device, makeObjective, arguments, weights: checkpoint is null);
        checkpoint?.Restore(training.Trainer, training.Parameters, arguments, training.Objective.ExampleCount, !run.ResumeDespiteChanges);
        return training;
    }

    /// <summary>Trains and saves a run that has an output folder.</summary>
    /// <param name="stop">Ends the run after the current step; the model is saved as it stands.</param>
    /// <returns>The exit code.</returns>
    public int Train(CancellationToken stop)
    {
        string output = run.OutputDir!;
        if (finishedRun is not null)
        {
            terminal.Error.WriteLine($"{output} holds this run, finished after {finishedRun.Steps} steps: nothing is left to do.");
            return ExitCodes.Done;
        }

        using var held = RunLock.Take(output);
        if (run is DefendRun { Arguments.Loss: DefenceLoss.RandomInit }) return SaveUntrained(output);
        CheckpointFolders.RemoveLeftovers(output);
        var identity = run.SaveSteps > 0 || run.ResumeFromCheckpoint is not null ? RunIdentity.Of(run, Device) : null;
        var checkpoint = new Resumption(run, terminal).Find(identity);
        using var training = Load(checkpoint);
        PrepareOutput(output, checkpoint);
        using var metrics = OpenMetrics(output, checkpoint);
        var saver = new CheckpointSaver(output, run.SaveSteps, run.SaveTotalLimit, folder => WriteCheckpoint(folder, identity!, training, metrics), terminal.Error.WriteLine);
        bool finished = RunSteps(training, output, metrics, saver, stop);
        if (Device.Captures is { } graphs)
            terminal.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"cuda_graphs: {graphs.Launched} launched, {graphs.Updated} of them updated and {graphs.Instantiated} instantiated."));
        if (!finished) saver.Save(training.Trainer.StepsDone);
        source.SaveInto(output, training.Parameters, saving);
        if (run.AdapterDir is { } adapters) PeftAdapter.Write(adapters, training.Parameters, arguments.Trained.Lora!, source.TokenizerFolder);
        terminal.Error.WriteLine(finished
            ? $"Saved {output} after {training.Trainer.StepsDone} steps."
            : $"Stopped after step {training.Trainer.StepsDone} of {training.Trainer.TotalSteps}; {output} holds the model as it stands."
                + (CheckpointFolders.List(output).Count > 0 ? " --resume-from-checkpoint true goes on." : ""));
        return finished ? ExitCodes.Done : ExitCodes.Interrupted;
    }

    public void Dispose()
    {
        Device.Dispose();
        source.Dispose();
    }

    /// <summary>Says which steps run without graphs although the run asks for them.</summary>
    private void WriteUncaptured()
    {
        if (dump is not null) terminal.Error.WriteLine("cuda_graphs: steps run without graphs while tensors are dumped, which looks at each operation.");
        else if (run is ProfileRun) terminal.Error.WriteLine("cuda_graphs: recorded steps run without graphs, for each operation is waited for; what they show is a run without them.");
    }

    /// <summary>Saves what the source loads: random weights, the baseline that has nothing to recover.</summary>
    private int SaveUntrained(string output)
    {
        using var parameters = new ModelParameters(source.Config, Device, ParameterUse.Inference);
        source.Load(parameters);
        PrepareOutput(output, checkpoint: null);
        source.SaveInto(output, parameters, saving);
        terminal.Error.WriteLine($"Saved {output}: random weights, not trained.");
        return ExitCodes.Done;
    }

    /// <summary>A run that goes on may find its own files there, and the model that its interruption saved.</summary>
    private void CheckOutput(string output)
    {
        RunLock.CheckFree(output);
        bool goesOn = run.ResumeFromCheckpoint is not null && CheckpointFolders.List(output).Count > 0;
        source.CheckOutput(output, saving, goesOn);
    }

    private void PrepareOutput(string output, Checkpoint? checkpoint)
    {
        try
        {
            // What an earlier run saved must not be taken for this one's when it is resumed.
            if (checkpoint is null) CheckpointFolders.Prune(output, 0);
            RunWriter.Save(run, output);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException(output, $"it cannot be written ({exception.Message.TrimEnd('.')})", "a folder that can be made and written to",
                "choose another folder, or free space and permissions", exception);
        }
    }

    private static MetricsWriter OpenMetrics(string output, Checkpoint? checkpoint)
    {
        string path = Path.Combine(output, MetricsWriter.FileName);
        return checkpoint is null ? new MetricsWriter(path) : MetricsWriter.Continue(path, checkpoint.MetricsPath);
    }

    private void WriteCheckpoint(string folder, RunIdentity identity, LoadedTraining training, MetricsWriter metrics)
    {
        Checkpoint.Write(
            folder, identity, arguments, run.SaveSteps, training.Trainer, training.Objective.ExampleCount, source, training.Parameters, saving);
        metrics.CopyTo(Path.Combine(folder, MetricsWriter.FileName));
    }

    private bool RunSteps(LoadedTraining training, string output, MetricsWriter metrics, CheckpointSaver saver, CancellationToken stop)
    {
        var display = new ProgressDisplay(terminal);
        using var dumping = dump?.Attach(Device);
        try
        {
            return display.Track(() => training.Trainer.Run([metrics, display, saver], stop));
        }
        catch (NonFiniteException) when (training.Trainer.StepsDone > 0)
        {
            string folder = Path.Combine(output, LastGoodFolder);
            source.SaveInto(folder, training.Parameters, saving);
            terminal.Error.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"The weights after step {training.Trainer.StepsDone} are in {folder}."));
            throw;
        }
    }
}
