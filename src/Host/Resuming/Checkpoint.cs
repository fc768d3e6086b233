using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Host.Progress;
using RepNoise.Host.Training;

namespace RepNoise.Host.Resuming;

/// <summary>A whole checkpoint of a run: what it takes to go on as if the run had not ended.</summary>
/// <param name="Path">Its folder.</param>
/// <param name="State">Where the run stood.</param>
/// <param name="Random">What noise and data order follow from.</param>
/// <param name="Identity">Of the run that saved it.</param>
internal sealed record Checkpoint(string Path, TrainerState State, RandomState Random, RunIdentity Identity)
{
    /// <summary>Steps done.</summary>
    public int Step => State.GlobalStep;

    /// <summary>The metrics of the steps done.</summary>
    public string MetricsPath => System.IO.Path.Combine(Path, MetricsWriter.FileName);

    /// <summary>Opens one checkpoint after comparing all of it with its manifest.</summary>
    /// <exception cref="CheckpointException">It is damaged.</exception>
    public static Checkpoint Open(string path)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(path);
        if (!Directory.Exists(path))
            throw new CheckpointException(path, "there is no such folder", "a checkpoint of a run", "name a folder checkpoint-STEP in the run's output, or true for the latest");
        int step = CheckpointFolders.StepOf(System.IO.Path.GetFileName(System.IO.Path.GetFullPath(path)))
            ?? throw new CheckpointException(path, "it is not called checkpoint-STEP", "a checkpoint of a run", "name a folder checkpoint-STEP in the run's output, or true for the latest");
        if (CheckpointManifest.Problem(path, step) is { } problem)
            throw new CheckpointException(path, $"the checkpoint is damaged: {problem}", "every file as it was saved", "go on from an earlier checkpoint");
        return Read(path);
    }

    /// <summary>The latest checkpoint of an output folder that is whole, or null where it has none.</summary>
    /// <param name="output">The run's folder.</param>
    /// <param name="below">Only steps under it.</param>
    /// <param name="tell">Takes a sentence about each damaged one that is passed over.</param>
    /// <exception cref="CheckpointException">There are checkpoints, and all are damaged.</exception>
    public static Checkpoint? Latest(string output, int below, Action<string> tell)
    {
        var folders = CheckpointFolders.List(output).Where(folder => folder.Step < below).ToArray();
        foreach (var (step, path) in folders)
        {
            if (CheckpointManifest.Problem(path, step) is not { } problem) return Read(path);
            tell($"{path} is damaged and passed over: {problem}.");
        }

        return folders.Length == 0
            ? null
            : throw new CheckpointException(
                output, $"{(folders.Length == 1 ? "its checkpoint is" : $"all {folders.Length} checkpoints are")} damaged", "at least one that is as it was saved",
                "begin again with --overwrite-output-dir, or in another folder");
    }

    /// <summary>Writes a checkpoint's files, the manifest aside, into an empty folder; each is flushed to disk.</summary>
    public static void Write(
        string folder, RunIdentity identity, TrainingArguments arguments, int saveSteps, Trainer trainer, int examples, ModelSource source,
        ModelParameters parameters, SaveOptions saving)
    {
        source.Write(folder, parameters, saving);
        var progress = trainer.Progress;
        StateFile.Write(System.IO.Path.Combine(folder, CheckpointFiles.Optimizer), [.. trainer.State, .. Masters(parameters, source.PlanOf(saving))]);
        CheckpointFiles.Write(folder, CheckpointFiles.Arguments, identity);
        CheckpointFiles.Write(
            folder, CheckpointFiles.State,
            new TrainerState(progress.Step, progress.TotalSteps, progress.Epoch, arguments.PerDeviceTrainBatchSize, saveSteps, progress.Seconds));
        CheckpointFiles.Write(folder, CheckpointFiles.Random, RandomOf(progress, arguments, examples));
    }

    /// <summary>Fills weights and optimizer, and sets the trainer to the step.</summary>
    /// <param name="training">Of a run with the same settings.</param>
    /// <param name="parameters">Its weights.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="examples">Examples in one pass over its data.</param>
    /// <param name="checkPosition">False where the run is known to differ, so that its data order does too.</param>
    /// <exception cref="InputException">The checkpoint does not fit the model or the device.</exception>
    public void Restore(Trainer training, ModelParameters parameters, TrainingArguments arguments, int examples, bool checkPosition)
    {
        using (var state = SafetensorsFile.Open(System.IO.Path.Combine(Path, CheckpointFiles.Optimizer)))
        {
            StateFile.Read(state, training.State);
            var masters = parameters.Parameters.Concat(parameters.TrainedParameters).Where(parameter => state.Contains(parameter.Name + CheckpointFiles.MasterSuffix)).ToHashSet();
            StateFile.Read(state, masters.Select(Master));
            if (parameters.Adapters.Count == 0) ReadWeights(parameters, parameters.Parameters.Where(parameter => !masters.Contains(parameter)));
        }

        parameters.RefreshValues();
        training.Restore(Step, State.Seconds);
        if (checkPosition && RandomOf(training.Progress, arguments, examples) is var now && now != Random)
            throw new CheckpointException(
                Path, $"its run would go on with example {Random.NextPosition} of order {Random.DataSeed}, this one with {now.NextPosition} of {now.DataSeed}",
                "the same place in the data", "use the version of the program that saved it");
    }

    private static Checkpoint Read(string path)
    {
        var state = CheckpointFiles.Read<TrainerState>(path, CheckpointFiles.State);
        if (state.GlobalStep < 0 || CheckpointFolders.NameOf(state.GlobalStep) != System.IO.Path.GetFileName(System.IO.Path.GetFullPath(path)))
            throw new CheckpointException(path, $"it is of step {state.GlobalStep}", "the step in its name", "give it its old name");
        return new Checkpoint(
            path, state, CheckpointFiles.Read<RandomState>(path, CheckpointFiles.Random), CheckpointFiles.Read<RunIdentity>(path, CheckpointFiles.Arguments));
    }

    private static RandomState RandomOf(TrainerProgress progress, TrainingArguments arguments, int examples) => new(
        "philox4x32-10", arguments.Seed, arguments.DataSeed ?? arguments.Seed, progress.Step, progress.MicroBatches, progress.Position, examples);

    /// <summary>Master weights that the model's files would round, or the adapters that they hold merged.</summary>
    private static IEnumerable<OptimizerTensor> Masters(ModelParameters parameters, SavePlan plan)
    {
        if (parameters.Adapters.Count > 0) return parameters.TrainedParameters.Select(Master);
        var saved = plan.Weights.SelectMany(file => file.Tensors).Where(tensor => tensor.Parameter is not null).ToDictionary(t => t.Spec.Name, t => t.Spec.DType);
        return parameters.Parameters.Select(parameter => (parameter, state: Master(parameter)))
            .Where(pair => saved.GetValueOrDefault(pair.parameter.Name, DType.Bool) != StateFile.DTypeOf(pair.state.Value)).Select(pair => pair.state);
    }

    private static OptimizerTensor Master(Parameter parameter) => new(parameter.Name + CheckpointFiles.MasterSuffix, parameter.Master);

    private void ReadWeights(ModelParameters parameters, IEnumerable<Parameter> rest)
    {
        ModelFolder? folder = null;
        try
        {
            foreach (var parameter in rest)
            {
                folder ??= ModelFolder.Open(Path);
                parameters.Load(parameter, folder.Read);
            }
        }
        finally
        {
            folder?.Dispose();
        }
    }
}
