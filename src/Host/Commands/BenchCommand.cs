using System.CommandLine;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Commands;

/// <summary>What <c>bench</c> was told.</summary>
internal sealed record BenchOptions : MachineChoice
{
    public required IReadOnlyList<KernelBenchmark> Benchmarks { get; init; }

    public required IReadOnlyList<SuiteModel> Models { get; init; }

    /// <summary>Sampling time of one row.</summary>
    public double Seconds { get; init; }

    /// <summary>File of the rows, one JSON object a line, with a table beside it; null for standard output alone.</summary>
    public string? Json { get; init; }
}

/// <summary><c>repnoise bench</c>.</summary>
internal static class BenchCommand
{
    private const double DefaultSeconds = 0.2;

    public static Command Build(
        Func<BenchOptions, Terminal, CancellationToken, int> handler, Func<BenchKernelOptions, Terminal, CancellationToken, int> kernelHandler,
        Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "bench",
            "Time every operation, forward and backward, at the shapes of several models, beside this machine's multiply-add peak and memory rate.",
            "./repnoise bench",
            "./repnoise bench --ops \"matmul*,attention*\" --models a,b --json kernels.jsonl",
            "./repnoise bench --threads 1 --kernel matmul=avx2")
        {
            Sections = [("Models", [.. SuiteModel.All.Select(m => (m.Name, Describe(m)))])],
        };
        ValueOption<string?> ops = new(
            "--ops", Values.Text, "*", "Operations, separated by commas; a star at the end stands for any ending. See repnoise bench kernel --help.");
        ValueOption<string?> models = new(
            "--models", Values.Text, string.Join(',', SuiteModel.All.Select(m => m.Name)), "Whose shapes, separated by commas.");
        ValueOption<double> seconds = new("--seconds", Values.Positive(), DefaultSeconds, "Sampling time of each row.");
        ValueOption<string?> json = new("--json", Values.Path, null, "Write the rows here, one JSON object a line, and a Markdown table beside it.");
        var machine = new MachineOptions();
        command.AddOptions(ops.Symbol, models.Symbol, seconds.Symbol, json.Symbol);
        command.AddOptions(machine.Symbols);
        command.Subcommands.Add(BenchKernelCommand.Build(kernelHandler, terminal, stop));
        command.SetAction(line => handler(
            machine.Read(line, new BenchOptions
            {
                Benchmarks = ReadOps(ops.Read(line)!),
                Models = ReadModels(models.Read(line)!),
                Seconds = seconds.Read(line),
                Json = json.Read(line),
            }),
            terminal,
            stop));
        return command;
    }

    private static string Describe(SuiteModel m) =>
        $"vocabulary {m.V}, hidden {m.C}, feed-forward {m.F}, {m.Heads} heads ({m.KeyValueHeads} key/value); {m.B} pairs of a prompt of {m.Prompt} " +
        $"and answers of {m.Answer} tokens: {m.N} rows";

    /// <summary>The operations in the order of the list of all, each once.</summary>
    private static List<KernelBenchmark> ReadOps(string text)
    {
        var chosen = new HashSet<string>();
        foreach (string word in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!word.EndsWith('*'))
            {
                chosen.Add(KernelBenchmarks.Find(word, "--ops").Name);
                continue;
            }

            string[] names = [.. KernelBenchmarks.All.Select(b => b.Name).Where(name => name.StartsWith(word[..^1], StringComparison.Ordinal))];
            if (names.Length == 0)
                throw new UsageException("--ops", $"no operation begins with \"{word[..^1]}\"", "a beginning of one", "see repnoise bench kernel --help");
            chosen.UnionWith(names);
        }

        return [.. KernelBenchmarks.All.Where(benchmark => chosen.Contains(benchmark.Name))];
    }

    private static List<SuiteModel> ReadModels(string text)
    {
        string[] words = text.Split(',', StringSplitOptions.TrimEntries);
        if (words.FirstOrDefault(word => SuiteModel.All.All(m => m.Name != word)) is { } unknown)
        {
            throw new UsageException("--models", $"there is no model \"{unknown}\"", "one of " + string.Join(", ", SuiteModel.All.Select(m => m.Name)),
                "see repnoise bench --help");
        }

        return [.. SuiteModel.All.Where(model => words.Contains(model.Name))];
    }
}
