using RepNoise.Host.Experiments;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Runs an experiment's file.</summary>
internal static class ExperimentHandler
{
    public static int Run(ExperimentOptions options, Terminal terminal, CancellationToken stop)
    {
        var experiment = ExperimentReader.Read(options.File);
        var runner = new ExperimentRunner(experiment, terminal);
        if (options.DryRun)
        {
            runner.Print();
            return ExitCodes.Done;
        }

        ExperimentTable.Write(terminal.Out, runner.Run(stop));
        terminal.Error.WriteLine($"Results are in {experiment.OutputDir}; ./repnoise report {experiment.OutputDir} makes a page of them.");
        return ExitCodes.Done;
    }
}
