using RepNoise.Host.Dumps;

namespace RepNoise.Host.Configuration;

internal static partial class Settings
{
    private static IEnumerable<Setting> ProfileSettings()
    {
        yield return Profile("steps", Values.PositiveInteger(), run => run.Steps, (run, value) => run with { Steps = value },
            "Steps to record.");
        yield return Profile("skip_steps", Values.PositiveInteger(), run => run.SkipSteps, (run, value) => run with { SkipSteps = value },
            "Steps before the first that is recorded: there code is compiled and memory touched.");
        yield return Profile("trace", Values.Path, run => run.Trace, (run, value) => run with { Trace = value },
            "Write a timeline to this file: Chrome trace JSON, for ui.perfetto.dev.", isOutput: true);
        yield return Profile("json", Values.Path, run => run.Json, (run, value) => run with { Json = value },
            "Write the tables to this file as JSON.", isOutput: true);
        yield return Profile("overhead", Values.Boolean, run => run.Overhead, (run, value) => run with { Overhead = value },
            "Measure what recording costs: the same micro-batch with and without it, in turns.");
    }

    private static IEnumerable<Setting> DumpSettings()
    {
        yield return new Setting<TrainingRun, string?>("dump_tensors", Dump, Values.Path, run => run.DumpTensors,
            (run, value) => run with { DumpTensors = value }, null, DumpOptions.TensorsHelp)
        {
            IsOutput = true,
        };
        yield return Shared("dump_steps", Dump, Values.Steps, run => run.DumpSteps, (run, value) => run with { DumpSteps = value }, DumpOptions.StepsHelp);
        yield return new ListSetting<TrainingRun, DumpPart>("dump_parts", Dump, Values.Choice<DumpPart>(), run => run.DumpParts,
            (run, value) => run with { DumpParts = value }, DumpOptions.PartsHelp);
    }

    private static Setting<ProfileRun, T> Profile<T>(
        string name, ValueKind<T> kind, Func<ProfileRun, T> get, Func<ProfileRun, T, ProfileRun> set, string help, bool isOutput = false) =>
        new(name, Profiling, kind, get, set, get(new ProfileRun()), help) { IsOutput = isOutput };
}
