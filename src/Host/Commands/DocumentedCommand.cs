using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Commands;

/// <summary>A command with the examples that its help shows.</summary>
internal sealed class DocumentedCommand(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Whole command lines, as typed.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>Further tables of its help, under their titles: a word and what it means.</summary>
    public IReadOnlyList<(string Title, IReadOnlyList<(string Name, string Text)> Rows)> Sections { get; init; } = [];

    /// <summary>The runs that this command's settings describe, or null for a command without a configuration file.</summary>
    public Type? Run { get; init; }

    /// <summary>A command as it is typed, with the commands above it: <c>repnoise bench kernel</c>.</summary>
    public static string PathOf(Command command)
    {
        if (command is RootCommand) return "repnoise";
        return (command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? PathOf(parent) : "repnoise") + " " + command.Name;
    }

    /// <summary>The model folder, the one thing that commands take without an option's name.</summary>
    public static Argument<string> ModelArgument(bool required) => new("MODEL")
    {
        Description = "Model folder: config.json, *.safetensors, tokenizer.json.",
        Arity = required ? ArgumentArity.ExactlyOne : ArgumentArity.ZeroOrOne,
    };

    /// <summary>The path given for <paramref name="argument"/>.</summary>
    /// <exception cref="UsageException">It is empty.</exception>
    public static string ReadModel(ParseResult line, Argument<string> argument) =>
        Values.Path.TryParse(line.GetValue(argument) ?? "", out var path)
            ? path!
            : throw new UsageException("MODEL", "found an empty text", "a path", "name the model folder after the command");

    public void AddOptions(params Option[] options)
    {
        foreach (var option in options)
        {
            Options.Add(option);
        }
    }
}
