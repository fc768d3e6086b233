using System.Globalization;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Dumps;
using RepNoise.Host.Model;
using RepNoise.Host.Progress;
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
        if (run.OutputDir is not null) source.CheckOutput(run.OutputDir, saving);
        tokenizer = Tokenizer.Load(source.TokenizerFolder);
        Device = Handling.CreateDevice(arguments.Device, arguments.Threads, run.Kernels, run.StateDtype);
    }

    public Device Device { get; }

    /// <summary>Id of the pads that face text: the model's own, else its first end id, else 0.</summary>
    public int PadId => Handling.PadIdOf(source.Config);

    /// <summary>Id that ends a text.</summary>
    public int EosId => Handling.EosIdOf(source.Config);

    public int LayerCount => source.Config.NumHiddenLayers;

    public int[] Encode(string text) => tokenizer.Encode(text);

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

    /// <summary>Reads the data, loads the weights and plans all memory: ready for the first step.</summary>
    public LoadedTraining Load()
    {
        var makeObjective = TrainingData.Read(this, run, terminal);
        terminal.Error.WriteLine(Device.Description);
        return new LoadedTraining(source, Device, makeObjective, arguments);
    }

    /// <summary>Trains and saves a run that has an output folder.</summary>
    /// <param name="stop">Ends the run after the current step; the model is saved as it stands.</param>
    /// <returns>The exit code.</returns>
    public int Train(CancellationToken stop)
    {
        string output = run.OutputDir!;
        if (run is DefendRun { Arguments.Loss: DefenceLoss.RandomInit }) return SaveUntrained(output);
        using var training = Load();
        CreateOutput(output);
        using var metrics = new MetricsWriter(Path.Combine(output, MetricsWriter.FileName));
        bool finished = RunSteps(training, output, metrics, stop);
        source.SaveInto(output, training.Parameters, saving);
        terminal.Error.WriteLine(finished
            ? $"Saved {output} after {training.Trainer.StepsDone} steps."
            : $"Stopped after step {training.Trainer.StepsDone} of {training.Trainer.TotalSteps}; {output} holds the model as it stands.");
        return finished ? ExitCodes.Done : ExitCodes.Interrupted;
    }

    public void Dispose()
    {
        Device.Dispose();
        source.Dispose();
    }

    /// <summary>Saves what the source loads: random weights, the baseline that has nothing to recover.</summary>
    private int SaveUntrained(string output)
    {
        using var parameters = new ModelParameters(source.Config, Device, ParameterUse.Inference);
        source.Load(parameters);
        CreateOutput(output);
        source.SaveInto(output, parameters, saving);
        terminal.Error.WriteLine($"Saved {output}: random weights, not trained.");
        return ExitCodes.Done;
    }

    private void CreateOutput(string output)
    {
        try
        {
            Directory.CreateDirectory(output);
            RunWriter.Save(run, output);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException(output, $"it cannot be written ({exception.Message.TrimEnd('.')})", "a folder that can be made and written to",
                "choose another folder, or free space and permissions", exception);
        }
    }

    private bool RunSteps(LoadedTraining training, string output, MetricsWriter metrics, CancellationToken stop)
    {
        var display = new ProgressDisplay(terminal);
        using var dumping = dump?.Attach(Device);
        try
        {
            return display.Track(() => training.Trainer.Run([metrics, display], stop));
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
