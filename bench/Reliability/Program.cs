using System.Globalization;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Reliability;

/// <summary>The long runs behind docs/reliability.md: <c>kill</c>, <c>fuzz</c> and <c>soak</c>.</summary>
internal static class Program
{
    private const string Usage = """
        usage: Reliability kill [--times 100] [--seed 1]
               Reliability fuzz [PARSER ...] [--inputs 10000000] [--minutes 60] [--seed 1] [--blind]
               Reliability soak [--steps 20000]
        kill   starts, kills and resumes a training run, and compares it with an uninterrupted one
        fuzz   feeds parsers with mutated inputs, guided by the coverage of their code unless --blind
        soak   trains a tiny model and watches memory, time and file handles
        """;

    private static int Main(string[] arguments)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        var options = new Options(arguments.Skip(1));
        switch (arguments.FirstOrDefault())
        {
            case "kill":
                return Kill(options);
            case "fuzz":
                return options.Has("--blind") ? Fuzz(options, null) : Instrumented.Relaunch(arguments);
            case "fuzz-instrumented":
                return Fuzz(options, Instrumented.Connect());
            case "soak":
                return Soak.Run(options.Integer("--steps", 20_000));
            default:
                Console.Error.WriteLine(Usage);
                return 2;
        }
    }

    private static int Kill(Options options)
    {
        using var world = new TinyWorld();
        string[] line =
        [
            "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--retain", world.Data("retain.jsonl"), "--per-device-train-batch-size", "2",
            "--max-steps", "400", "--save-steps", "5",
        ];
        var report = new KillCampaign(line, world["kills"], options.Integer("--seed", 1)).Run(options.Integer("--times", 100), 20, Console.Error.WriteLine);
        Console.WriteLine(
            $"{report.Kills} kills, {report.InsideSaves} of them while a checkpoint was being written; {report.Damaged.Count} damaged checkpoints; "
            + $"steps lost: {report.StepsLost.Max()} at most, {report.StepsLost.Average():0.0} on average; "
            + (report.Difference is null ? "the result equals the uninterrupted run to the bit." : "THE RESULT DIFFERS: " + report.Difference));
        foreach (string problem in report.Damaged) Console.WriteLine(problem);
        return report.Difference is null && report.Damaged.Count == 0 ? 0 : 1;
    }

    private static int Fuzz(Options options, Coverage? coverage)
    {
        var targets = options.Names.Count == 0 ? FuzzTargets.All : [.. options.Names.Select(FuzzTargets.Of)];
        var time = TimeSpan.FromMinutes(options.Real("--minutes", 60));
        int faults = 0;
        foreach (var target in targets)
        {
            // Each parser has its own count of branches: what another reached is not new to it.
            var own = coverage is null ? null : coverage.Restart();
            var report = new Fuzzer(target, options.Integer("--seed", 1), own).Run(time, options.Integer("--inputs", 10_000_000), Console.Error.WriteLine);
            Console.WriteLine(
                $"{report.Target}: {report.Inputs} inputs, {report.Accepted} accepted, corpus {report.Corpus}, "
                + (own is null ? "" : $"{own.Branches} branches, ") + $"longest {report.Longest.TotalMilliseconds:0} ms, {report.Faults.Count} faults");
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

/// <summary>Words and <c>--options</c> of a command line.</summary>
internal sealed class Options
{
    private readonly Dictionary<string, string> values = [];

    public Options(IEnumerable<string> words)
    {
        string? name = null;
        foreach (string word in words)
        {
            if (word.StartsWith("--", StringComparison.Ordinal)) values[name = word] = "";
            else if (name is not null and not "--blind") (values[name], name) = (word, null);
            else Names.Add(word);
        }
    }

    public List<string> Names { get; } = [];

    public bool Has(string name) => values.ContainsKey(name);

    public int Integer(string name, int otherwise) => values.TryGetValue(name, out string? text) ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    public double Real(string name, double otherwise) => values.TryGetValue(name, out string? text) ? double.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
