using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Resuming;

namespace RepNoise.Host.Commands;

/// <summary>
/// What <c>defend</c>, <c>finetune</c> and <c>attack</c> share: an option for every setting, <c>--config</c> with a YAML file of the same settings,
/// and <c>--check</c>, which reads and reports without running.
/// </summary>
internal sealed class TrainingCommand<TRun>
    where TRun : TrainingRun
{
    private const string Configuration = "Configuration";

    private readonly DocumentedCommand command;
    private readonly TRun defaults;
    private readonly SettingOptions options;
    private readonly ValueOption<string?> config = new(
        "--config", Values.Path, null, "YAML file of settings under their snake_case names; options win over it.", Configuration);

    private readonly ValueOption<bool> check = new(
        "--check", Values.Boolean, false, "Read the configuration, print it whole and stop.", Configuration);

    public TrainingCommand(DocumentedCommand command, TRun defaults)
    {
        this.command = command;
        this.defaults = defaults;
        options = new SettingOptions(Settings.Of(typeof(TRun)), marksRequired: true, defaults);
        check.Symbol.Aliases.Add("--dry-run");
        command.AddOptions(config.Symbol, check.Symbol);
        options.AddTo(command);
    }

    /// <summary>The command, which reads its line and hands the run to <paramref name="handler"/>.</summary>
    public Command Build(Func<TRun, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        command.SetAction(line =>
        {
            var run = Read(line);
            if (!check.Read(line))
            {
                return handler(run, terminal, stop);
            }

            CheckPaths(run);
            terminal.Out.Write(RunWriter.ToYaml(run));
            return ExitCodes.Done;
        });
        return command;
    }

    private TRun Read(ParseResult line) => RunConfiguration.Read(defaults, config.Read(line), options.Read(line));

    /// <summary>What <c>--check</c> can tell without reading a model: that everything named is there and the output is free.</summary>
    private static void CheckPaths(TRun run)
    {
        foreach (var setting in Settings.Of(typeof(TRun)).Where(setting => setting.Placeholder == Values.Path.Placeholder))
        {
            if (setting.IsOutput || setting.Get(run) is not [var path])
            {
                continue;
            }

            if (!Path.Exists(path))
            {
                throw new InputException(setting.Name, $"{path} does not exist", "an existing path", "check the path");
            }
        }

        bool goesOn = run.ResumeFromCheckpoint is not null && CheckpointFolders.List(run.OutputDir!).Count > 0;
        if (!run.OverwriteOutputDir && !goesOn && Directory.Exists(run.OutputDir) && Directory.EnumerateFileSystemEntries(run.OutputDir).Any())
        {
            throw new InputException(
                "output_dir", $"{run.OutputDir} is not empty", "a new or empty folder", "name another folder, or give --overwrite-output-dir");
        }
    }
}
