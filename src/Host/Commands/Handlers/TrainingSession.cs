using System.Globalization;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Host.Progress;
using RepNoise.Host.Tokenizers;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>
/// What <c>defend</c> and <c>finetune</c> do alike: open model, tokenizer and device, check the output before anything costs
/// time, train with progress and metrics, save. What is trained on comes from the caller.
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
    private readonly Device device;
    private readonly SaveOptions saving;
    private readonly string output;

    public TrainingSession(TrainingRun run, ModelSource source, Terminal terminal)
    {
        (this.run, this.source, this.terminal) = (run, source, terminal);
        arguments = run.Training;
        output = run.OutputDir!;
        saving = new SaveOptions { SaveDType = Handling.DTypeOf(run.SaveDtype), Overwrite = run.OverwriteOutputDir };
        source.CheckOutput(output, saving);
        tokenizer = Tokenizer.Load(source.TokenizerFolder);
        device = Handling.CreateDevice(arguments.Device, arguments.Threads, run.Kernels);
    }

    /// <summary>Id of the pads that face text: the model's own, else its first end id, else 0.</summary>
    public int PadId => Handling.PadIdOf(source.Config);

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

    /// <summary>Trains and saves.</summary>
    /// <param name="makeObjective">Makes data and loss for the weights.</param>
    /// <param name="stop">Ends the run after the current step; the model is saved as it stands.</param>
    /// <returns>The exit code.</returns>
    public int Train(Func<ModelParameters, ITrainingObjective> makeObjective, CancellationToken stop)
    {
        terminal.Error.WriteLine(device.Description);
        using var parameters = new ModelParameters(source.Config, device, ParameterUse.Training);
        source.Load(parameters);
        using var objective = makeObjective(parameters);
        using var trainer = new Trainer(parameters, objective, arguments);
        CreateOutput();
        using var metrics = new MetricsWriter(Path.Combine(output, MetricsWriter.FileName));
        bool finished = RunSteps(trainer, parameters, metrics, stop);
        source.SaveInto(output, parameters, saving);
        terminal.Error.WriteLine(finished
            ? $"Saved {output} after {trainer.StepsDone} steps."
            : $"Stopped after step {trainer.StepsDone} of {trainer.TotalSteps}; {output} holds the model as it stands.");
        return finished ? ExitCodes.Done : ExitCodes.Interrupted;
    }

    public void Dispose()
    {
        device.Dispose();
        source.Dispose();
    }

    private void CreateOutput()
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

    private bool RunSteps(Trainer trainer, ModelParameters parameters, MetricsWriter metrics, CancellationToken stop)
    {
        var display = new ProgressDisplay(terminal);
        try
        {
            return display.Track(() => trainer.Run([metrics, display], stop));
        }
        catch (NonFiniteException) when (trainer.StepsDone > 0)
        {
            string folder = Path.Combine(output, LastGoodFolder);
            source.SaveInto(folder, parameters, saving);
            terminal.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"The weights after step {trainer.StepsDone} are in {folder}."));
            throw;
        }
    }
}
