using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Commands;

/// <summary>The program's command line: which commands there are, how a line is read, and what a wrong one is told.</summary>
internal static class CommandLine
{
    /// <summary>Reads <paramref name="arguments"/> and runs what they ask for.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static int Run(IReadOnlyList<string> arguments, CommandHandlers handlers, Terminal terminal, CancellationToken stop) =>
        Failures.Guard(
            () =>
            {
                var root = Build(handlers, terminal, stop);

                // A prompt may begin with @, which would otherwise name a file of further arguments.
                var line = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
                if (line.Action is HelpAction or VersionAction)
                {
                    return Invoke(line, terminal);
                }

                RefuseUnknownOptions(line, arguments);
                if (line.Errors.Count == 0)
                {
                    return Invoke(line, terminal);
                }

                Explain(line, terminal);
                return ExitCodes.Usage;
            },
            terminal,
            stop);

    /// <summary>The commands that <paramref name="handlers"/> serve.</summary>
    internal static RootCommand Build(CommandHandlers handlers, Terminal terminal, CancellationToken stop)
    {
        var root = new RootCommand("Hardens a language model's weights against harmful fine-tuning by Representation Noising.");
        root.Options.Clear();
        root.Options.Add(new HelpOption("--help", "-h", "-?") { Action = new HelpAction(terminal), Description = "Show help.", Recursive = true });
        root.Options.Add(new Option<bool>("--version") { Action = new VersionAction(terminal), Description = "Show the version, its commit and its build.", Arity = ArgumentArity.Zero });
        root.SetAction(_ =>
        {
            HelpAction.Write(root, terminal.Error, terminal.Width);
            return ExitCodes.Usage;
        });
        Command?[] commands =
        [
            handlers.Defend is { } defend ? DefendCommand.Build(defend, terminal, stop) : null,
            handlers.Finetune is { } finetune ? FinetuneCommand.Build(finetune, terminal, stop) : null,
            handlers.Attack is { } attack ? AttackCommand.Build(attack, terminal, stop) : null,
            handlers.Generate is { } generate ? GenerateCommand.Build(generate, terminal, stop) : null,
            handlers is { Evaluate: { } evaluate, Overlap: { } overlap } ? EvaluateCommand.Build(evaluate, overlap, terminal, stop) : null,
            handlers.Probe is { } probe ? ProbeCommand.Build(probe, terminal, stop) : null,
            handlers.Inspect is { } inspect ? InspectCommand.Build(inspect, terminal, stop) : null,
            handlers.Tokenize is { } tokenize ? TokenizeCommand.Build(tokenize, terminal, stop) : null,
            handlers.Verify is { } verify ? VerifyCommand.Build(verify, terminal, stop) : null,
            handlers.Plan is { } plan ? PlanCommand.Build(plan, terminal, stop) : null,
            handlers.Profile is { } profile ? ProfileCommand.Build(profile, terminal, stop) : null,
            handlers.Replay is { } replay ? ReplayCommand.Build(replay, terminal, stop) : null,
            handlers.Compare is { } compare ? CompareCommand.Build(compare, terminal, stop) : null,
            handlers.Devices is { } devices ? DevicesCommand.Build(devices, terminal, stop) : null,
            handlers is { Bench: { } bench, BenchKernel: { } kernel } ? BenchCommand.Build(bench, kernel, terminal, stop) : null,
            handlers.Demo is { } demo ? DemoCommand.Build(demo, terminal, stop) : null,
        ];
        foreach (var command in commands.OfType<Command>())
        {
            root.Subcommands.Add(command);
        }

        return root;
    }

    private static int Invoke(ParseResult line, Terminal terminal) => line.Invoke(new InvocationConfiguration
    {
        Output = terminal.Out,
        Error = terminal.Error,
        EnableDefaultExceptionHandler = false,
        ProcessTerminationTimeout = null,
    });

    /// <summary>
    /// The parser would take an unknown option for the model folder, or for the value of the option before it. So every word with
    /// two dashes must be an option of its command; a value that begins so is written <c>--prompt=--value</c>.
    /// </summary>
    private static void RefuseUnknownOptions(ParseResult line, IReadOnlyList<string> arguments)
    {
        var known = OptionsOf(line.CommandResult)
            .SelectMany(option => option.Aliases.Prepend(option.Name), (option, name) => (name, option))
            .ToDictionary(pair => pair.name, pair => pair.option, StringComparer.Ordinal);
        foreach (var argument in arguments.TakeWhile(argument => argument != "--").Where(argument => argument.StartsWith("--", StringComparison.Ordinal)))
        {
            var end = argument.IndexOfAny(['=', ':']);
            var name = end >= 0 ? argument[..end] : argument;
            if (!known.TryGetValue(name, out var option))
            {
                var (expected, remedy) = Advice(line.CommandResult.Command, name, known.Keys);
                throw new UsageException(name, "unknown option", expected, remedy);
            }

            if (option is FlagOption && end >= 0 && !Values.Boolean.TryParse(argument[(end + 1)..], out _))
            {
                throw new UsageException(name, $"found \"{argument[(end + 1)..]}\"", Values.Boolean.Expected, "correct the value");
            }
        }
    }

    private static (string Expected, string Remedy) Advice(Command command, string name, IEnumerable<string> known)
    {
        if (command is DocumentedCommand { Run: { } run } && RunConfiguration.AdviceOnForeign(run, name) is { } advice)
        {
            return advice;
        }

        // Both spellings of an option are equally near; help shows the one with hyphens, which sorts first, so that one is named.
        var help = $"{DocumentedCommand.PathOf(command)} --help";
        return NearestName.Of(name, known.Order(StringComparer.Ordinal)) is { } nearest
            ? ($"a known option, the nearest is {nearest}", $"correct the name; see {help}")
            : ("a known option", $"see {help}");
    }

    private static IEnumerable<Option> OptionsOf(CommandResult command) =>
        command.Command.Options.Concat(command.Parent is CommandResult parent ? OptionsOf(parent).Where(option => option.Recursive) : []);

    private static void Explain(ParseResult line, Terminal terminal)
    {
        var command = line.CommandResult.Command;
        if (command.Subcommands.Count > 0 && line.UnmatchedTokens.Count > 0)
        {
            var (word, names) = (line.UnmatchedTokens[0], command.Subcommands.Select(sub => sub.Name).ToList());
            var hint = NearestName.Of(word, names) is { } nearest ? $", the nearest is {nearest}" : "";
            throw new UsageException(word, "unknown command", "one of " + string.Join(", ", names) + hint, $"see {DocumentedCommand.PathOf(command)} --help");
        }

        foreach (var message in line.Errors.Select(error => error.Message).Distinct())
        {
            terminal.Error.WriteLine($"{DocumentedCommand.PathOf(command)}: {message}");
        }

        terminal.Error.WriteLine($"See {DocumentedCommand.PathOf(command)} --help.");
    }
}
