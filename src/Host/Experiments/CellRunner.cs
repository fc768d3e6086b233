using System.Diagnostics;
using System.Text;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Commands;
using RepNoise.Host.Commands.Handlers;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Progress;
using RepNoise.Host.Resuming;
using RepNoise.Host.Training;

namespace RepNoise.Host.Experiments;

/// <summary>Does one cell: trains with what <c>defend</c>, <c>attack</c> and <c>finetune</c> run, measures with what <c>evaluate</c> runs.</summary>
/// <param name="experiment">The experiment.</param>
/// <param name="cell">The cell.</param>
/// <param name="folder">Its folder, begun.</param>
/// <param name="terminal">Takes the commands' own words.</param>
/// <param name="stop">Ends the cell between two steps.</param>
internal sealed class CellRunner(Experiment experiment, Cell cell, CellFolder folder, Terminal terminal, CancellationToken stop)
{
    private const string TrainedName = "trained.json";

    private readonly Dictionary<string, IReadOnlyList<double>> scores = [];

    private string BuildingModel => Path.Combine(folder.Building, CellFolder.ModelName);

    /// <summary>Does what is left of the cell and publishes its folder.</summary>
    /// <returns>Its result.</returns>
    /// <exception cref="OperationCanceledException">It was stopped; what is done so far stays.</exception>
    public CellResult Run()
    {
        var clock = Stopwatch.StartNew();
        var trained = cell.Trained is null ? null : Train();
        var measures = trained?.Failure is null ? Measure(trained is null ? Start() : BuildingModel) : [];
        if (trained?.Failure is null) Probe(trained is null ? Start() : BuildingModel);
        Tidy();
        var result = new CellResult
        {
            Model = cell.Model.Name,
            Withheld = cell.Withheld,
            Defence = cell.Defence.Name,
            Kind = cell.Kind,
            Training = cell.Training?.Name,
            Seed = cell.Seed.Seed,
            DataSeed = cell.Seed.DataSeed,
            EvaluationSeed = cell.Seed.EvaluationSeed,
            Folder = folder.Relative,
            Run = trained?.Facts,
            Failure = trained?.Failure,
            Measures = measures,
            Scores = scores,
            Seconds = trained is { Resumed: true } ? trained.Seconds + clock.Elapsed.TotalSeconds : clock.Elapsed.TotalSeconds,
            Device = DeviceName(),
            Versions = $"{RunEnvironment.Versions}, commit {RunEnvironment.Commit}",
        };
        folder.Finish(result);
        return result;
    }

    /// <summary>The model that the cell starts from.</summary>
    private string Start() => cell.Parent is { Defence.Run: not null } parent ? new CellFolder(experiment.OutputDir, parent).Model : cell.Model.Path;

    /// <summary>Why the defence that the cell starts from left no model, or null.</summary>
    private string? ParentFailure() => cell.Parent is { Defence.Run: not null } parent ? new CellFolder(experiment.OutputDir, parent).Result()!.Failure : null;

    private Trained Train()
    {
        string marker = Path.Combine(folder.Building, TrainedName);
        if (File.Exists(marker)) return CellFolder.Read<Trained>(marker) with { Resumed = true };
        var run = CellRuns.Of(cell, experiment, Start());
        if (ParentFailure() is { } reason) return new Trained(Facts(run), $"the defence has no model: {reason}", 0, Resumed: false);
        bool goesOn = CheckpointFolders.List(BuildingModel).Count > 0;
        if (!goesOn && Directory.Exists(BuildingModel)) Directory.Delete(BuildingModel, recursive: true);
        var clock = Stopwatch.StartNew();
        string? failure = null;
        try
        {
            using var session = new TrainingSession(run with { OutputDir = BuildingModel, ResumeFromCheckpoint = goesOn ? "true" : null }, terminal);
            if (session.Train(stop) != ExitCodes.Done) throw new OperationCanceledException(stop);
        }
        catch (NonFiniteException problem)
        {
            failure = problem.Message;
        }

        var trained = new Trained(Facts(run), failure, clock.Elapsed.TotalSeconds, Resumed: false);
        Durable.Replace(marker, System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(trained, CellFolder.Json));
        return trained;
    }

    private TrainingFacts Facts(TrainingRun run)
    {
        string metrics = Path.Combine(BuildingModel, MetricsWriter.FileName);
        int steps = File.Exists(metrics) ? new MetricsReader(metrics).LastStep : 0;
        var arguments = run.Training;
        var defaults = CellRuns.Defaults(run);
        var settings = Settings.Of(run.GetType())
            .Where(setting => !setting.IsOutput && setting.Name != "model" && !setting.Get(run).SequenceEqual(setting.Get(defaults)))
            .ToDictionary(setting => setting.Name, setting => string.Join(", ", setting.Get(run)));
        return new TrainingFacts(
            run is DefendRun ? "defend" : run is AttackRun ? "attack" : "finetune", steps,
            (long)steps * arguments.PerDeviceTrainBatchSize * arguments.GradientAccumulationSteps, arguments.LearningRate, settings);
    }

    private List<Measure> Measure(string model)
    {
        var measures = new List<Measure>();
        foreach (var evaluation in cell.Kind == CellKind.Task ? cell.Training!.Evaluations : experiment.Evaluations)
        {
            stop.ThrowIfCancellationRequested();
            var options = evaluation.Options with
            {
                Model = model,
                ReferenceModel = evaluation.ReferenceIsBase ? cell.Model.Path : evaluation.Options.ReferenceModel,
                Answering = evaluation.Options.Answering with
                {
                    Sampling = evaluation.Options.Answering.Sampling with { Seed = cell.Seed.EvaluationSeed },
                },
            };
            var results = EvaluateHandler.Evaluate(options, terminal, stop);
            measures.AddRange(Measures.Of(evaluation, results));
            var answers = (results.Harmfulness?.Answers ?? []).Concat(results.Rouge?.Answers ?? []).ToList();
            if (answers.Count == 0) continue;
            scores[evaluation.Name] = [.. answers.Select(answer => answer.Score)];
            File.WriteAllText(
                Path.Combine(folder.Building, $"{CellFolder.GenerationsPrefix}{evaluation.Name}.jsonl"),
                string.Concat(answers.Select(answer => System.Text.Json.JsonSerializer.Serialize(answer, EvaluationResults.JsonLine) + "\n")), new UTF8Encoding(false));
        }

        return measures;
    }

    private void Probe(string model)
    {
        foreach (var probe in experiment.Probes.Where(probe => probe.LooksInto(cell)))
        {
            stop.ThrowIfCancellationRequested();
            var options = probe.Options with { Model = model, Seed = cell.Seed.EvaluationSeed, Other = probe.OtherIsBase ? cell.Model.Path : probe.Options.Other };
            var results = ProbeHandler.Measure(options, terminal, stop);
            File.WriteAllText(
                Path.Combine(folder.Building, $"{CellFolder.ProbePrefix}{probe.Name}.json"), System.Text.Json.JsonSerializer.Serialize(results, EvaluationResults.Json) + "\n", new UTF8Encoding(false));
        }
    }

    /// <summary>Brings the run's record beside the result, and removes what is not kept.</summary>
    private void Tidy()
    {
        File.Delete(Path.Combine(folder.Building, TrainedName));
        if (cell.Trained is null) return;
        RunWriter.Save(CellRuns.Of(cell, experiment, Start()) with { OutputDir = folder.Model }, folder.Building);
        if (!Directory.Exists(BuildingModel)) return; // the defence that it should have started from has no model
        string metrics = Path.Combine(BuildingModel, MetricsWriter.FileName), copy = Path.Combine(folder.Building, MetricsWriter.FileName);
        if (File.Exists(metrics)) File.Move(metrics, copy, overwrite: true);
        File.Delete(Path.Combine(BuildingModel, RunConfiguration.FileName));
        CheckpointFolders.Prune(BuildingModel, 0);
        if (cell.Kind != CellKind.Defence && experiment.KeepModels == KeptModels.Defended) Directory.Delete(BuildingModel, recursive: true);
    }

    private string DeviceName() => cell.Trained?.Run?.Training.Device
        ?? (cell.Kind == CellKind.Task ? cell.Training!.Evaluations : experiment.Evaluations).Select(evaluation => evaluation.Options.Device).FirstOrDefault("cpu");

    /// <summary>Training that is over: what is left is to measure.</summary>
    private sealed record Trained(TrainingFacts Facts, string? Failure, double Seconds, bool Resumed);
}
