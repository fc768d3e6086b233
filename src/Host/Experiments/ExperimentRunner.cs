using System.Text;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Commands;
using RepNoise.Host.Resuming;

namespace RepNoise.Host.Experiments;

/// <summary>Carries out an experiment: every cell that is not finished as it is described, in the order of the grid.</summary>
internal sealed class ExperimentRunner
{
    /// <summary>The file's text as it was run, beside the results.</summary>
    public const string ConfigurationName = "experiment.yaml";

    private readonly Experiment experiment;
    private readonly Terminal terminal;
    private readonly IReadOnlyList<Cell> cells;
    private readonly Dictionary<Cell, CellIdentity> identities = [];
    private readonly Dictionary<Cell, string> reasons = [];

    public ExperimentRunner(Experiment experiment, Terminal terminal)
    {
        (this.experiment, this.terminal) = (experiment, terminal);
        cells = Cell.Grid(experiment);
        var facts = new FileFacts();
        foreach (var cell in cells)
        {
            identities[cell] = facts.Of(cell, experiment, cell.Parent is { } parent ? identities[parent] : null);
            if (FolderOf(cell).Reason(identities[cell]) is { } reason) reasons[cell] = reason;
        }

        // An attack needs the model that its defence left, however finished that cell is.
        foreach (var parent in reasons.Keys.Select(cell => cell.Parent).OfType<Cell>().Where(parent => parent.Defence.Run is not null).ToList())
        {
            if (!reasons.ContainsKey(parent) && FolderOf(parent).Result()!.Failure is null && !File.Exists(Path.Combine(FolderOf(parent).Model, ModelFolder.ConfigName))) reasons[parent] = "its model is gone";
        }
    }

    /// <summary>Prints every cell and what would become of it.</summary>
    public void Print()
    {
        foreach (var cell in cells)
            terminal.Out.WriteLine($"{cell.Label}: {(reasons.GetValueOrDefault(cell) is { } reason ? reason : "finished")}");
        terminal.Out.WriteLine($"{cells.Count} cells, {reasons.Count} to do, in {experiment.OutputDir}");
    }

    /// <summary>Does what is to be done.</summary>
    /// <param name="stop">Ends it after a step; the next start goes on there.</param>
    /// <returns>The results of all cells.</returns>
    public ExperimentResults Run(CancellationToken stop)
    {
        using var held = RunLock.Take(experiment.OutputDir);
        File.Copy(experiment.File, Path.Combine(experiment.OutputDir, ConfigurationName + ".new"), overwrite: true);
        File.Move(Path.Combine(experiment.OutputDir, ConfigurationName + ".new"), Path.Combine(experiment.OutputDir, ConfigurationName), overwrite: true);
        if (reasons.Count < cells.Count) terminal.Error.WriteLine($"{cells.Count - reasons.Count} of {cells.Count} cells are finished already.");
        var todo = cells.Where(reasons.ContainsKey).ToList();
        foreach (var cell in todo.Where(cell => reasons[cell] != "new")) terminal.Error.WriteLine($"{cell.Label} is done again: {reasons[cell]}.");
        var progress = new CellProgress(terminal, todo.Count);
        for (int i = 0; i < todo.Count; i++)
        {
            stop.ThrowIfCancellationRequested();
            var result = Do(todo[i], progress, stop);
            reasons.Remove(todo[i]);
            Results().Write(experiment.OutputDir);
            progress.End(todo[i], result, todo[(i + 1)..]);
        }

        var results = Results();
        results.Write(experiment.OutputDir);
        return results;
    }

    private CellResult Do(Cell cell, CellProgress progress, CancellationToken stop)
    {
        var folder = FolderOf(cell);
        if (folder.Begin(identities[cell])) return folder.Result()!;
        using var log = new StreamWriter(Path.Combine(folder.Building, CellFolder.LogName), append: true, new UTF8Encoding(false));
        return new CellRunner(experiment, cell, folder, progress.Begin(cell, log), stop).Run();
    }

    private ExperimentResults Results() => ExperimentResults.Of(
        experiment, [.. cells.Where(cell => !reasons.ContainsKey(cell)).Select(cell => FolderOf(cell).Result()!)], reasons.Count);

    private CellFolder FolderOf(Cell cell) => new(experiment.OutputDir, cell);
}
