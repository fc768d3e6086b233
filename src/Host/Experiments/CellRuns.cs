using RepNoise.Host.Configuration;

namespace RepNoise.Host.Experiments;

/// <summary>Makes a cell's run from the settings of its defence, attack or task.</summary>
internal static class CellRuns
{
    /// <summary>The run with a cell's seeds.</summary>
    public static TrainingRun Seeded(TrainingRun run, SeedSet seed) =>
        run with { Training = run.Training with { Seed = seed.Seed, DataSeed = seed.DataSeed } };

    /// <summary>A run of the same command, under the same preset, of which nothing else was said.</summary>
    public static TrainingRun Defaults(TrainingRun run) => run switch
    {
        AttackRun attack => new AttackRun().With(attack.Preset),
        FinetuneRun => new FinetuneRun(),
        _ => new DefendRun(),
    };

    /// <summary>The run with its seeds, its model and the data that a withheld category leaves it.</summary>
    /// <param name="cell">A cell that trains.</param>
    /// <param name="experiment">Its experiment.</param>
    /// <param name="model">Folder of the model to start from.</param>
    public static TrainingRun Of(Cell cell, Experiment experiment, string model)
    {
        var run = Seeded(cell.Trained!.Run!, cell.Seed) with { Model = model };
        if (cell.Withheld is not { } category) return run;
        string data = Path.Combine(experiment.OutputDir, "data");
        if (run is DefendRun { Pairs: { } pairs } defend) return defend with { Pairs = Split(pairs, "without", only: false) };
        if (run is AttackRun { Data: { } texts } attack) return attack with { Data = Split(texts, "only", only: true) };
        return run;

        string Split(string source, string word, bool only)
        {
            string target = Path.Combine(data, $"{Path.GetFileNameWithoutExtension(source)}-{word}-{category.Replace('/', '_')}.jsonl");
            WithheldData.Write(source, target, experiment.CategoryField, category, only);
            return target;
        }
    }
}
