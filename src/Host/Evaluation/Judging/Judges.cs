using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Evaluation.Judging;

/// <summary>What a judge may need beside its name.</summary>
public sealed record JudgeSettings
{
    public required RefusalPhrases Phrases { get; init; }

    /// <summary>JSON file of the words of each slot, or null.</summary>
    public string? SlotWords { get; init; }
}

/// <summary>Judges by their names on the command line.</summary>
public static class Judges
{
    /// <summary>Not a judge of answers: the given ones are scored by the model itself.</summary>
    public const string LogProbability = "logprob";

    private static readonly string[] Names = ["refusal", "slots", LogProbability];

    /// <exception cref="UsageException">There is no such judge.</exception>
    public static void CheckName(string name)
    {
        if (!Names.Contains(name))
            throw new UsageException("--judge", $"there is no judge \"{name}\"", "one of " + string.Join(", ", Names), "see repnoise evaluate --help");
    }

    /// <summary>A judge of answers.</summary>
    /// <exception cref="UsageException">There is no such judge.</exception>
    /// <exception cref="InputException">What it reads cannot be read.</exception>
    public static IAnswerJudge Create(string name, JudgeSettings settings)
    {
        CheckName(name);
        return name == "slots"
            ? settings.SlotWords is { } words ? SlotJudge.Read(words) : new SlotJudge()
            : new RefusalJudge(settings.Phrases);
    }
}
