using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>experiment</c> was told.</summary>
/// <param name="File">The experiment's file.</param>
/// <param name="DryRun">Print the cells and stop.</param>
internal sealed record ExperimentOptions(string File, bool DryRun);

/// <summary><c>repnoise experiment FILE</c>.</summary>
internal static class ExperimentCommand
{
    public static Command Build(Func<ExperimentOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "experiment",
            "Run a grid of models, defences, attacks and seeds from one file: defend, attack, measure. Every finished cell is a folder that a restart reuses, so an "
            + "interrupted experiment goes on with the same line. Writes results.json and results.csv; repnoise report makes a page of them.",
            "./repnoise experiment run.yaml --dry-run",
            "./repnoise experiment run.yaml")
        {
            Sections =
            [
                ("Keys of the file (docs/experiment.md)",
                [
                    ("output_dir", "folder for everything"),
                    ("models", "a name for each model folder"),
                    ("floor", "folder of a model that never learned what is harmful"),
                    ("defences", "a name with settings of defend; a list makes one defence for each value"),
                    ("attacks", "a name with settings of attack, likewise"),
                    ("tasks", "a name with settings of finetune, and an evaluation of its own"),
                    ("seeds", "numbers, or seed, data_seed and evaluation_seed"),
                    ("evaluations", "a name with options of evaluate, and counts_as: harmfulness or utility"),
                    ("probes", "a name with options of probe, and attacks: those after which it looks"),
                    ("settings", "settings that all of them share"),
                    ("withheld", "categories to defend without and attack with; category_field names their field"),
                    ("keep_models", "defended, or all"),
                ]),
            ],
        };
        var file = new Argument<string>("FILE") { Description = "The experiment's YAML file.", Arity = ArgumentArity.ExactlyOne };
        ValueOption<bool> dryRun = new("--dry-run", Values.Boolean, false, "Read the file, print every cell and whether it is finished, and stop.");
        command.Arguments.Add(file);
        command.AddOptions(dryRun.Symbol);
        command.SetAction(line => handler(new ExperimentOptions(DocumentedCommand.ReadPath(line, file), dryRun.Read(line)), terminal, stop));
        return command;
    }
}
