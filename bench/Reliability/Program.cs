using System.CommandLine;
using System.Globalization;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Reliability;

/// <summary>The long runs behind docs/reliability.md: <c>kill</c>, <c>fuzz</c> and <c>soak</c>.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        // Before anything touches a parser: rewritten code writes to its counters, wherever it is called from.
        var coverage = arguments.Contains(Instrumented.ConnectedOption) ? Instrumented.Connect() : null;
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1, Description = "Seed of what is random." };
        var root = new RootCommand("The long runs behind docs/reliability.md.") { KillCommand(seed), FuzzCommand(seed, arguments, coverage), SoakCommand() };
        return root.Parse(arguments).Invoke();
    }

    private static Command KillCommand(Option<int> seed)
    {
        var times = new Option<int>("--times") { DefaultValueFactory = _ => 100, Description = "Kills." };
        var command = new Command("kill", "Starts, kills and resumes a training run, and compares it with an uninterrupted one.") { times, seed };
        command.SetAction(parsed => Kill(parsed.GetValue(times), parsed.GetValue(seed)));
        return command;
    }

    private static Command FuzzCommand(Option<int> seed, string[] arguments, Coverage? coverage)
    {
        var parsers = new Argument<string[]>("PARSER") { Arity = ArgumentArity.ZeroOrMore, Description = "Which parsers; all where none is named." };
        parsers.AcceptOnlyFromAmong([.. FuzzTargets.All.Select(target => target.Name)]);
        var inputs = new Option<int>("--inputs") { DefaultValueFactory = _ => 10_000_000, Description = "Inputs a parser." };
        var minutes = new Option<double>("--minutes") { DefaultValueFactory = _ => 60, Description = "Longest time a parser." };
        var blind = new Option<bool>("--blind") { Description = "Mutate without the coverage of the parsers' code." };
        var connected = new Option<bool>(Instrumented.ConnectedOption) { Hidden = true };
        var command = new Command("fuzz", "Feeds parsers with mutated inputs, guided by the coverage of their code.") { parsers, inputs, minutes, seed, blind, connected };
        command.SetAction(parsed => !parsed.GetValue(blind) && coverage is null
            ? Instrumented.Relaunch(arguments)
            : Fuzz(parsed.GetValue(parsers)!, parsed.GetValue(inputs), TimeSpan.FromMinutes(parsed.GetValue(minutes)), parsed.GetValue(seed),
                coverage));
        return command;
    }

    private static Command SoakCommand()
    {
        var steps = new Option<int>("--steps") { DefaultValueFactory = _ => 20_000, Description = "Steps." };
        var saveSteps = new Option<int>("--save-steps") { DefaultValueFactory = _ => 500, Description = "Steps between checkpoints." };
        var tiered = new Option<bool>("--tiered") { Description = "Let the runtime compile methods again, as it does unless told not to." };
        var command = new Command("soak", "Trains a tiny model and watches memory, time and file handles.") { steps, saveSteps, tiered };
        command.SetAction(parsed => Soak.Run(parsed.GetValue(steps), parsed.GetValue(saveSteps), parsed.GetValue(tiered)));
        return command;
    }

    private static int Kill(int times, int seed)
    {
        using var world = new TinyWorld();
        string[] line =
        [
            "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--retain", world.Data("retain.jsonl"), "--per-device-train-batch-size", "2",
            "--max-steps", "400", "--save-steps", "5",
        ];
        var report = new KillCampaign(line, world["kills"], seed).Run(times, 20, Console.Error.WriteLine);
        Console.WriteLine(
            $"{report.Kills} kills, {report.InsideSaves} of them while a checkpoint was being written; {report.Damaged.Count} damaged checkpoints; "
            + $"steps lost: {report.StepsLost.Max()} at most, {report.StepsLost.Average():0.0} on average; "
            + (report.Difference is null ? "the result equals the uninterrupted run to the bit." : "THE RESULT DIFFERS: " + report.Difference));
        foreach (string problem in report.Damaged) Console.WriteLine(problem);
        return report.Difference is null && report.Damaged.Count == 0 ? 0 : 1;
    }

    private static int Fuzz(string[] names, int inputs, TimeSpan time, int seed, Coverage? coverage)
    {
        var targets = names.Length == 0 ? FuzzTargets.All : [.. names.Select(FuzzTargets.Of)];
        int faults = 0;
        foreach (var target in targets)
        {
            // Each parser has its own count of branches: what another reached is not new to it.
            var own = coverage is null ? null : coverage.Restart();
            var report = new Fuzzer(target, seed, own).Run(time, inputs, Console.Error.WriteLine);
            Console.WriteLine(
                $"{report.Target}: {report.Inputs} inputs, {report.Accepted} accepted, corpus {report.Corpus}, "
                + (own is null ? "" : $"{own.Branches} branches, ") + $"longest {report.Longest.TotalMilliseconds:0} ms, at most {report.MostBytes} bytes beyond 10 times an input, {report.Faults.Count} faults");
            foreach (var fault in report.Faults)
            {
                string path = Path.Combine(Path.GetTempPath(), $"fuzz-{target.Name}-{++faults}.bin");
                File.WriteAllBytes(path, fault.Input);
                Console.WriteLine($"  {fault.Problem.ReplaceLineEndings(" ")} ({path})");
            }
        }

        return faults == 0 ? 0 : 1;
    }
}
