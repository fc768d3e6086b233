using System.CommandLine;
using System.CommandLine.Invocation;

namespace RepNoise.Host.Commands;

/// <summary><c>--help</c>: what a command does, its options under headings with their defaults, and examples.</summary>
internal sealed class HelpAction(Terminal terminal) : SynchronousCommandLineAction
{
    /// <summary>The description starts here; a longer name gets a line of its own.</summary>
    private const int Column = 34;

    private const string General = "General";

    public override bool Terminating => true;

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        Write(parseResult.CommandResult.Command, terminal.Out, terminal.Width);
        return ExitCodes.Done;
    }

    /// <summary>Writes the help of <paramref name="command"/> for a screen of <paramref name="width"/> columns.</summary>
    public static void Write(Command command, TextWriter output, int width)
    {
        Wrap(output, command.Description ?? "", 0, width);
        output.WriteLine();
        output.WriteLine($"Usage: {DocumentedCommand.PathOf(command)} {Usage(command)}");
        Section(output, "Commands", command.Subcommands.Select(sub => (sub.Name, sub.Description ?? "")), width);
        Section(output, "Arguments", command.Arguments.Select(argument => (argument.Name, argument.Description ?? "")), width);
        foreach (var group in command.Options.Where(option => !option.Hidden).GroupBy(option => (option as IDocumentedOption)?.Group ?? General))
        {
            Section(output, group.Key, group.Select(option => (Names(option), Describe(option))), width);
        }

        foreach (var (title, rows) in (command as DocumentedCommand)?.Sections ?? [])
        {
            Section(output, title, rows, width);
        }

        Examples(output, command);
        if (command is RootCommand)
        {
            Section(output, "Exit codes", [("0", "done"), ("1", "failed"), ("2", "wrong usage"), ("130", "interrupted; training has saved its model")], width);
            output.WriteLine();
            output.WriteLine("repnoise COMMAND --help shows a command's options and examples.");
        }
    }

    private static string Usage(Command command)
    {
        if (command is RootCommand)
        {
            return "COMMAND [options]";
        }

        var arguments = command.Arguments.Select(argument => argument.Arity.MinimumNumberOfValues == 0 ? $"[{argument.Name}]" : argument.Name);
        return string.Join(' ', [.. command.Subcommands.Count > 0 ? ["[COMMAND]"] : Array.Empty<string>(), .. arguments, "[options]"]);
    }

    private static string Names(Option option)
    {
        var documented = option as IDocumentedOption;
        var names = documented is { ShownNames.Count: > 0 } ? documented.ShownNames : [option.Name, .. option.Aliases];
        return string.Join(", ", names) + (documented?.Placeholder is { } value ? $" <{value}>" : "");
    }

    private static string Describe(Option option)
    {
        var standard = option is FlagOption { Default: "false" } ? null : (option as IDocumentedOption)?.Default;
        return (option.Description ?? "") + (standard is null ? "" : $" [default: {standard}]");
    }

    private static void Section(TextWriter output, string title, IEnumerable<(string Name, string Text)> rows, int width)
    {
        var first = true;
        foreach (var (name, text) in rows)
        {
            if (first)
            {
                output.WriteLine();
                output.WriteLine(title + ":");
                first = false;
            }

            output.Write("  " + name);
            if (name.Length + 4 > Column)
            {
                output.WriteLine();
                output.Write(new string(' ', Column));
            }
            else
            {
                output.Write(new string(' ', Column - name.Length - 2));
            }

            Wrap(output, text, Column, width);
        }
    }

    private static void Examples(TextWriter output, Command command)
    {
        if (command is not DocumentedCommand { Examples.Count: > 0 } documented)
        {
            return;
        }

        output.WriteLine();
        output.WriteLine("Examples:");
        foreach (var example in documented.Examples)
        {
            output.WriteLine("  " + example);
        }
    }

    /// <summary>Writes words up to <paramref name="width"/>; the cursor stands at <paramref name="indent"/>, where further lines start too.</summary>
    private static void Wrap(TextWriter output, string text, int indent, int width)
    {
        var column = indent;
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (column > indent && column + 1 + word.Length > width)
            {
                output.WriteLine();
                output.Write(new string(' ', indent));
                column = indent;
            }

            if (column > indent)
            {
                output.Write(' ');
                column++;
            }

            output.Write(word);
            column += word.Length;
        }

        output.WriteLine();
    }
}
