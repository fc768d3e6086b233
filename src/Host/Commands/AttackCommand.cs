using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary><c>repnoise attack MODEL --data FILE --output DIR</c>.</summary>
internal static class AttackCommand
{
    public static Command Build(Func<AttackRun, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop) =>
        new TrainingCommand<AttackRun>(
            new DocumentedCommand(
                "attack",
                "Fine-tune a model on harmful answers, as an attacker would, to measure what a defence is worth. Takes BeaverTails (its "
                + "unsafe answers), DecodingTrust, pairs (their harmful answers), prompts with answers, or plain texts.",
                "./repnoise attack models/llama-defended --data attack.jsonl --output out/attacked",
                "./repnoise attack models/llama-defended --data attack.jsonl --preset paper --learning-rate 3e-5 --output out/attacked",
                "./repnoise attack models/llama-defended --data attack.jsonl --lora-rank 16 --lora-alpha 32 --output out/attacked",
                "./repnoise attack models/llama-defended --data attack.jsonl --max-train-samples 1000 --append-eos --output out/attacked")
            {
                Run = typeof(AttackRun),
                Sections = [("Presets", [.. Enum.GetValues<AttackPreset>().Select(Describe)])],
            },
            new AttackRun()).Build(handler, terminal, stop);

    /// <summary>A preset with the values that it sets.</summary>
    private static (string Name, string Text) Describe(AttackPreset preset)
    {
        var run = new AttackRun().With(preset);
        var values = Settings.OfPreset.Select(setting => $"{setting.Name} {setting.Get(run)[0]}");
        string name = Settings.Of(typeof(AttackRun)).Single(setting => setting.Name == Settings.PresetName).Get(run)[0];
        return (name, string.Join(", ", values) + ".");
    }
}
