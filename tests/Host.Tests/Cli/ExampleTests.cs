using System.CommandLine;
using System.Text;
using RepNoise.Host.Commands;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Cli;

/// <summary>Every command line that the README, the docs and help show must be understood as it stands.</summary>
public sealed class ExampleTests
{
    public static TheoryData<string> Documents => new(
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories).Append(Path.Combine(Repository.Root, "README.md"))
            .Select(path => Path.GetRelativePath(Repository.Root, path)));

    public static TheoryData<string> Commands => new(
        "defend", "finetune", "generate", "evaluate", "evaluate overlap", "probe", "inspect", "tokenize", "verify", "plan", "profile", "replay", "compare", "devices", "bench", "bench kernel", "demo");

    [Theory]
    [MemberData(nameof(Documents))]
    public void Documented_lines_are_understood(string document) =>
        Understood(File.ReadLines(Path.Combine(Repository.Root, document)).Select(line => line.Trim().TrimStart('$', ' ')));

    [Fact]
    public void The_readme_shows_command_lines() =>
        Assert.Contains(File.ReadLines(Path.Combine(Repository.Root, "README.md")), line => line.StartsWith("./repnoise defend ", StringComparison.Ordinal));

    [Theory]
    [MemberData(nameof(Commands))]
    public void Help_shows_every_option_within_the_width_and_examples_that_work(string command)
    {
        var program = new FakeProgram { Width = 80 };
        Assert.Equal(0, program.Run([.. command.Split(' '), "--help"]));
        var lines = program.Out.Split('\n');
        Assert.All(lines.Where(line => !line.TrimStart().StartsWith("./repnoise", StringComparison.Ordinal)), line => Assert.True(line.Length <= 80, line));
        var examples = lines.Select(line => line.Trim()).Where(line => line.StartsWith("./repnoise", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(examples);
        Understood(examples);
        Command shown = CommandLine.Build(program.Handlers, program.Terminal, CancellationToken.None);
        foreach (string name in command.Split(' ')) shown = shown.Subcommands.Single(sub => sub.Name == name);
        Assert.Contains($"Usage: repnoise {command} ", program.Out, StringComparison.Ordinal);
        foreach (var option in shown.Options)
        {
            Assert.Contains($"  {option.Name}", program.Out, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Root_help_lists_the_commands_and_exit_codes()
    {
        var program = new FakeProgram();
        Assert.Equal(0, program.Run("--help"));
        Assert.All(Commands.Where(row => !row.Data.Contains(' ', StringComparison.Ordinal)), row => Assert.Contains($"\n  {row.Data} ", program.Out, StringComparison.Ordinal));
        Assert.Contains("\n  130 ", program.Out, StringComparison.Ordinal);
    }

    private static void Understood(IEnumerable<string> lines)
    {
        using var folder = new TempFolder();
        var config = folder.Write("run.yaml", "model: m\npairs: p\noutput_dir: o\n");
        foreach (var line in lines.Where(line => line.StartsWith("./repnoise ", StringComparison.Ordinal)))
        {
            var words = Words(line);
            var check = words.Remove("--check");
            var program = new FakeProgram();
            var code = program.Run([.. words.Skip(1).Select(word => word.EndsWith("run.yaml", StringComparison.Ordinal) ? config : word)]);
            Assert.True(code == ExitCodes.Done, $"{line}\n{program.Error}");
            Assert.True(program.Received is not null || check || words.Contains("--help") || words.Contains("--version"), line);
        }
    }

    /// <summary>Splits as a shell would, up to a redirection, pipe or comment; double and single quotes hold words together.</summary>
    private static List<string> Words(string line)
    {
        var (words, word, quote, open) = (new List<string>(), new StringBuilder(), '\0', false);
        foreach (var letter in line + " ")
        {
            if (quote != '\0' ? letter == quote : letter is '"' or '\'')
            {
                (quote, open) = (quote == '\0' ? letter : '\0', true);
            }
            else if (quote == '\0' && letter is ('<' or '>' or '|' or '#'))
            {
                break;
            }
            else if (quote == '\0' && letter == ' ')
            {
                if (open || word.Length > 0)
                {
                    words.Add(word.ToString());
                }

                (open, _) = (false, word.Clear());
            }
            else
            {
                word.Append(letter);
            }
        }

        return words;
    }
}
