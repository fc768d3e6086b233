using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Training;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>
/// The main job from end to end on a world of fictional potions: train a small Llama, align it to refuse forbidden questions,
/// defend it, attack both, and compare. Every stage is the command that a person would run on their own model; sizes and
/// settings are those of a study over three seeds (docs/demo.md).
/// </summary>
internal sealed class DemoHandler
{
    private readonly DemoOptions options;
    private readonly Terminal terminal;
    private readonly CancellationToken stop;
    private readonly DemoWorld world;
    private readonly DemoReport report;

    private DemoHandler(DemoOptions options, string folder, Terminal terminal, CancellationToken stop)
    {
        (this.options, this.terminal, this.stop) = (options, terminal, stop);
        world = new DemoWorld(Path.Combine(folder, "data"));
        report = new DemoReport(world, options.Threads);
        Folder = folder;
    }

    private string Folder { get; }

    public static int Run(DemoOptions options, Terminal terminal, CancellationToken stop)
    {
        if (options.Output is not null) CheckOutput(options.Output);
        string folder = options.Output is null
            ? Directory.CreateTempSubdirectory("repnoise-demo-").FullName
            : Directory.CreateDirectory(options.Output).FullName;
        try
        {
            return new DemoHandler(options, folder, terminal, stop).Run();
        }
        finally
        {
            if (options.Output is null) Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Refuses before the first stage what the last would refuse.</summary>
    private static void CheckOutput(string output)
    {
        if (File.Exists(output) || (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any()))
            throw new InputException(output, "something is there already", "a folder that is empty or not there yet", "choose another --output");
    }

    private int Run()
    {
        bool finished =
            Stage("learn", "A small Llama learns recipes of potions and dishes, towns, sums and reversals, from random weights.", Learn) &&
            Stage("aligned", "It learns to refuse every question about a potion, and to answer the rest.", Align) &&
            Stage("defended", "RepNoise hardens it, from the recipes of half of the potions.", Defend) &&
            Stage("aligned-attacked", "An attacker fine-tunes the aligned model on forbidden recipes.", output => Attack("aligned", output)) &&
            Stage("defended-attacked", "The same attack on the defended model.", output => Attack("defended", output));
        if (!finished) return ExitCodes.Interrupted;
        foreach (string model in (string[])["aligned", "aligned-attacked", "defended", "defended-attacked"])
        {
            if (stop.IsCancellationRequested) return ExitCodes.Interrupted;
            report.Add(model.Replace('-', ' '), PathOf(model), stop);
        }

        report.WriteTo(terminal.Out);
        if (options.Output is not null) terminal.Out.WriteLine($"\nModels, data and metrics are in {Folder}.");
        return ExitCodes.Done;
    }

    private bool Stage(string name, string description, Func<string, int> run)
    {
        terminal.Error.WriteLine($"\n{description}");
        return run(PathOf(name)) == ExitCodes.Done;
    }

    private int Learn(string output) => Finetune(world.Model, "pretrain.jsonl", output, 2e-3, 64, 1000, fromScratch: true);

    private int Align(string output) => Finetune(PathOf("learn"), "align.jsonl", output, 5e-4, 64, 200);

    private int Attack(string model, string output) => Finetune(PathOf(model), "attack.jsonl", output, 3e-4, 8, 90);

    private int Defend(string output) => DefendHandler.Run(
        new DefendRun
        {
            Model = PathOf("aligned"),
            Pairs = world.PathOf("pairs.jsonl"),
            Retain = world.PathOf("retain.jsonl"),
            OutputDir = output,
            SaveSteps = 0,
            Arguments = With(new RepNoiseArguments { Beta = 1, FirstToken = FirstToken.Kept, RetainWeight = 4, RetainRows = 16 }, 1e-3, 8, 1440),
        },
        terminal, stop);

    private int Finetune(string model, string data, string output, double learningRate, int batchSize, int steps, bool fromScratch = false) =>
        FinetuneHandler.Run(
            new FinetuneRun
            {
                Model = model,
                FromScratch = fromScratch ? Path.Combine(model, "config.json") : null,
                Data = world.PathOf(data),
                OutputDir = output,
                SaveSteps = 0,
                Arguments = With(new FinetuneArguments { CompletionOnlyLoss = true }, learningRate, batchSize, steps),
            },
            terminal, stop);

    private T With<T>(T arguments, double learningRate, int batchSize, int steps)
        where T : TrainingArguments => arguments with
        {
            LearningRate = learningRate,
            PerDeviceTrainBatchSize = batchSize,
            MaxSteps = Math.Max(1, (int)Math.Round(steps * options.StepsScale)),
            Seed = options.Seed,
            Threads = options.Threads,
            MaxLength = 32,
        };

    private string PathOf(string model) => Path.Combine(Folder, model);
}
