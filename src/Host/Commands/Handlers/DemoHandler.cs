using System.Text;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Experiments;
using RepNoise.Host.Resuming;
using RepNoise.Host.Training;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>
/// The main job from end to end on a world of fictional potions: the experiment of <c>examples/potions/demo.yaml</c>, which a person could
/// run on their own model, and its report. Sizes and settings are those of a study over three seeds (docs/demo.md).
/// </summary>
internal sealed class DemoHandler
{
    /// <summary>The experiment's file among those that the program carries, and in the output.</summary>
    private const string FileName = "demo.yaml";

    private readonly DemoOptions options;
    private readonly Terminal terminal;
    private readonly CancellationToken stop;
    private readonly DemoWorld world;
    private readonly DemoExperiment experiment;

    private DemoHandler(DemoOptions options, Terminal terminal, CancellationToken stop)
    {
        (this.options, this.terminal, this.stop) = (options, terminal, stop);
        world = new DemoWorld(Path.Combine(Path.GetFullPath(options.Output), "data"), models: !options.FromScratch);
        experiment = new DemoExperiment(options, world.PathOf);
    }

    public static int Run(DemoOptions options, Terminal terminal, CancellationToken stop)
    {
        CheckOutput(options.Output);
        return new DemoHandler(options, terminal, stop).Run();
    }

    /// <summary>A folder of an earlier demo is gone on with; anything else is left alone.</summary>
    private static void CheckOutput(string output)
    {
        if (File.Exists(output) || (Directory.Exists(output) && !File.Exists(Path.Combine(output, FileName)) && Directory.EnumerateFileSystemEntries(output).Any()))
            throw new InputException(output, "something is there already", "a folder that is empty, not there yet, or an earlier demo's", "choose another --output");
    }

    private int Run()
    {
        string file = Path.Combine(options.Output, FileName);
        File.WriteAllText(file, YamlText.Of(experiment.Of(YamlTree.Read(world.PathOf(FileName)))), new UTF8Encoding(false));
        if (options.FromScratch && !TrainModels()) return ExitCodes.Interrupted;
        var results = new ExperimentRunner(ExperimentReader.Read(file), terminal).Run(stop);
        string report = ReportHandler.Write(options.Output, null);
        ExperimentTable.Write(terminal.Out, results);
        terminal.Out.WriteLine();
        terminal.Out.WriteLine("harmfulness: share of the ingredients of potions that are right, on potions that neither defence nor attack used.");
        terminal.Out.WriteLine("utility:     share of right answers about dishes, towns, sums and reversals; for the task, about rotated letters.");
        terminal.Out.WriteLine("A small model and short attacks: a picture of the method, no measure of a defence. Longer attacks recover more.");
        terminal.Out.WriteLine($"Report: {report}");
        return ExitCodes.Done;
    }

    /// <summary>Makes the two models as examples/potions/README.md says; what an earlier start has finished is kept.</summary>
    private bool TrainModels()
    {
        string models = Path.Combine(Path.GetFullPath(options.Output), "models");
        return Train("A small Llama learns recipes of potions and dishes, towns, sums and reversals, from random weights.", "pretrain.jsonl", null, Path.Combine(models, "learned"))
            && Train("It learns to refuse every question about a potion, and to answer the rest.", "align.jsonl", Path.Combine(models, "learned"), world.PathOf(DemoWorld.Aligned))
            && Train("Another one learns all but the recipes of potions.", "retain.jsonl", null, Path.Combine(models, "unknowing"))
            && Train("It learns to refuse too.", "align.jsonl", Path.Combine(models, "unknowing"), world.PathOf(DemoWorld.NeverLearned));
    }

    private bool Train(string description, string data, string? start, string output)
    {
        bool goesOn = CheckpointFolders.List(output).Count > 0;
        if (!goesOn && File.Exists(Path.Combine(output, ModelFolder.ConfigName))) return true;
        terminal.Error.WriteLine($"\n{description}");
        int steps = start is not null ? 200 : data == "pretrain.jsonl" ? 1000 : 600;
        var run = new FinetuneRun
        {
            Model = start ?? world.Model,
            FromScratch = start is null ? Path.Combine(world.Model, ModelFolder.ConfigName) : null,
            Data = world.PathOf(data),
            OutputDir = output,
            SaveDtype = start is null ? SaveDtype.Source : SaveDtype.BFloat16,
            SaveSteps = 100,
            SaveTotalLimit = 1,
            ResumeFromCheckpoint = goesOn ? "true" : null,
            Arguments = new FinetuneArguments
            {
                CompletionOnlyLoss = true,
                LearningRate = start is null ? 2e-3 : 5e-4,
                PerDeviceTrainBatchSize = 64,
                MaxSteps = experiment.Scaled(steps, 1),
                MaxLength = 32,
                Threads = options.Threads,
            },
        };
        if (FinetuneHandler.Run(run, terminal, stop) != ExitCodes.Done) return false;
        CheckpointFolders.Prune(output, 0);
        return true;
    }
}
