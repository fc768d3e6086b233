using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Evaluation.Judging;

/// <summary>What a judge may need beside its name.</summary>
public sealed record JudgeSettings
{
    public required RefusalPhrases Phrases { get; init; }

    /// <summary>JSON file of the words of each slot, or null.</summary>
    public string? SlotWords { get; init; }

    /// <summary>The harmful label of an ONNX classifier, or null to find it by its name.</summary>
    public string? Label { get; init; }

    /// <summary>Threads of an ONNX classifier; 0 takes every core.</summary>
    public int Threads { get; init; }

    /// <summary>Time of a judging program for all answers.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>Judges by their names on the command line.</summary>
public static class Judges
{
    /// <summary>Not a judge of answers: the given ones are scored by the model itself.</summary>
    public const string LogProbability = "logprob";

    private const string CommandPrefix = "command:", OnnxPrefix = "onnx:";

    private static readonly string[] Names = ["refusal", "slots", LogProbability];

    /// <exception cref="UsageException">There is no such judge.</exception>
    public static void CheckName(string name)
    {
        if (!Names.Contains(name) && !Is(name, CommandPrefix) && !Is(name, OnnxPrefix))
        {
            throw new UsageException(
                "--judge", $"there is no judge \"{name}\"", "one of " + string.Join(", ", Names) + ", onnx:FOLDER, command:PROGRAM", "see repnoise evaluate --help");
        }
    }

    /// <summary>A judge of answers.</summary>
    /// <exception cref="UsageException">There is no such judge.</exception>
    /// <exception cref="InputException">What it reads cannot be read.</exception>
    public static IAnswerJudge Create(string name, JudgeSettings settings)
    {
        CheckName(name);
        if (Is(name, OnnxPrefix)) return OnnxJudge.Open(name[OnnxPrefix.Length..], settings.Label, settings.Threads);
        if (Is(name, CommandPrefix)) return new CommandJudge(name[CommandPrefix.Length..], settings.Timeout);
        return name == "slots"
            ? settings.SlotWords is { } words ? SlotJudge.Read(words) : new SlotJudge()
            : new RefusalJudge(settings.Phrases);
    }

    private static bool Is(string name, string prefix) => name.StartsWith(prefix, StringComparison.Ordinal) && name.Length > prefix.Length;
}
