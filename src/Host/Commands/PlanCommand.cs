using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>plan</c> was told.</summary>
/// <param name="Run">The run to plan; only its model is sure to be named.</param>
/// <param name="Memory">Bytes that the run may take, or null.</param>
/// <param name="PromptTokens">Tokens that the two texts of an assumed pair share.</param>
internal sealed record PlanOptions(TrainingRun Run, long? Memory, int PromptTokens);

/// <summary><c>repnoise plan MODEL</c>, with the settings of the commands that train.</summary>
internal static class PlanCommand
{
    private const string Group = "Plan";

    /// <summary>The commands whose runs can be planned.</summary>
    private enum PlannedCommand
    {
        Defend,
        Finetune,
        Attack,
    }

    public static Command Build(Func<PlanOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "plan",
            "Print the memory that a run of defend, finetune or attack will take, by category, before it runs, and the largest batch that fits. "
            + "Takes their options and files as they are: write plan in their place. A folder with config.json alone will do.",
            "./repnoise plan models/llama --per-device-train-batch-size 8 --max-length 256",
            "./repnoise plan models/llama --pairs pairs.jsonl --memory 24GiB --gradient-checkpointing",
            "./repnoise plan models/llama --for finetune --memory 16GB",
            "./repnoise plan --config run.yaml");
        ValueOption<long?> memory = new("--memory", Values.Memory, null, "Find the largest batch that fits in this much memory.", Group);
        ValueOption<PlannedCommand?> planned = new(
            "--for", Values.Optional(Values.Choice<PlannedCommand>()), null,
            "Command to plan; where not given, attack if there is a preset, finetune if a setting is finetune's alone, else defend.", Group);
        ValueOption<int> promptTokens = new(
            "--prompt-tokens", Values.Integer(0, "an integer, 0 or more"), 0,
            "Tokens that the two texts of a pair share, where no pairs are given: shared tokens are computed once.", Group);
        ValueOption<string?> config = new(
            "--config", Values.Path, null, "YAML file of a run's settings; options win over it.", Group);
        command.AddOptions(memory.Symbol, planned.Symbol, promptTokens.Symbol, config.Symbol);
        var settings = new SettingOptions(Settings.All, marksRequired: false);
        settings.AddTo(command);
        command.SetAction(line =>
        {
            var (given, file) = (settings.Read(line), config.Read(line));
            var defaults = planned.Read(line) switch
            {
                PlannedCommand.Defend => new DefendRun(),
                PlannedCommand.Finetune => new FinetuneRun(),
                PlannedCommand.Attack => new AttackRun(),
                _ => RunConfiguration.Unnamed(file, given),
            };
            var run = RunConfiguration.Read(defaults, file, given, needsOnlyModel: true);
            return handler(new PlanOptions(run, memory.Read(line), promptTokens.Read(line)), terminal, stop);
        });
        return command;
    }
}
