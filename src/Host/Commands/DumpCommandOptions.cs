using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Dumps;

namespace RepNoise.Host.Commands;

/// <summary>The options of a dump for commands that have no configuration file.</summary>
internal sealed class DumpCommandOptions
{
    private const string Group = Settings.Dump;

    private readonly ValueOption<string?> folder = new("--dump-tensors", Values.Path, null, DumpOptions.TensorsHelp, Group);
    private readonly ValueOption<StepRanges>? steps;
    private readonly ValueOption<DumpPart?> parts = new(
        "--dump-parts", Values.Optional(Values.Choice<DumpPart>()), null, DumpOptions.PartsHelp, Group);

    /// <param name="what">What the steps are here, to begin a sentence; null where the command chooses the step itself.</param>
    public DumpCommandOptions(string? what)
    {
        if (what is not null)
            steps = new("--dump-steps", Values.Steps, StepRanges.One, $"{what} that are dumped: numbers and ranges from 1, such as 1,10-12.", Group);
    }

    public Option[] Symbols => steps is null ? [folder.Symbol, parts.Symbol] : [folder.Symbol, steps.Symbol, parts.Symbol];

    /// <summary>What was asked for, or null where no folder was named.</summary>
    /// <param name="line">The line.</param>
    /// <param name="step">The step where the command chooses it.</param>
    /// <exception cref="UsageException">A value is wrong, or others than the folder were given without it.</exception>
    public DumpOptions? Read(ParseResult line, StepRanges? step = null)
    {
        var options = new DumpOptions(
            folder.Read(line) ?? "", step ?? steps!.Read(line), [.. parts.ReadAll(line).OfType<DumpPart>()]);
        if (options.Folder.Length > 0) return options;
        var idle = Symbols.FirstOrDefault(symbol => line.GetResult(symbol) is { Implicit: false });
        return idle is null ? null : throw new UsageException(idle.Name, "has no effect alone", "--dump-tensors beside it", "name a folder with --dump-tensors");
    }
}
