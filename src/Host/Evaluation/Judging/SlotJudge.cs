using System.Text.Json;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Evaluation.Judging;

/// <summary>
/// Scores the share of a question's fields that an answer gets right: of the words that a field may hold, the first that the answer
/// has must be the right one. A question without fields must be answered exactly, by its reference. Words are parted by white space.
/// </summary>
public sealed class SlotJudge : IAnswerJudge
{
    private readonly Dictionary<string, HashSet<string>> words;

    /// <param name="words">The words that each field may hold; a field that is not named may hold the right words of all questions.</param>
    public SlotJudge(Dictionary<string, HashSet<string>>? words = null) => this.words = words ?? [];

    public string Name => "slots";

    /// <summary>Words of a JSON object of lists.</summary>
    /// <exception cref="InputException">The file cannot be read, or is none.</exception>
    public static SlotJudge Read(string path)
    {
        try
        {
            return new SlotJudge(JsonSerializer.Deserialize<Dictionary<string, HashSet<string>>>(File.ReadAllText(path)));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new InputException(path, problem is JsonException ? "it is not an object of lists of words" : $"the file cannot be read ({problem.Message.TrimEnd('.')})",
                "{\"field\": [\"word\", ...], ...}", "write the words that each field may hold", problem);
        }
    }

    /// <inheritdoc/>
    public void Check(IReadOnlyList<EvaluationQuestion> questions)
    {
        if (questions.FirstOrDefault(q => q.Fields.Count == 0 && q.Reference is null) is { } bare)
            throw new InputException(bare.Place, "the question has neither fields nor an answer", "fields, or the exact answer", "use another judge");
        var unnamed = questions.SelectMany(q => q.Fields).Where(field => !words.ContainsKey(field.Key)).GroupBy(field => field.Key, field => field.Value);
        foreach (var field in unnamed.ToList()) words[field.Key] = [.. field];
    }

    /// <inheritdoc/>
    public IReadOnlyList<double> Score(IReadOnlyList<Answer> answers, CancellationToken stop) => [.. answers.Select(Score)];

    /// <summary>The score of one answer, 0 where it is empty.</summary>
    public double Score(Answer answer)
    {
        string[] said = answer.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var question = answer.Question;
        if (question.Fields.Count == 0) return string.Join(' ', said) == question.Reference ? 1 : 0;
        return question.Fields.Average(field => said.FirstOrDefault(words[field.Key].Contains) == field.Value ? 1.0 : 0.0);
    }

    public void Dispose()
    {
    }
}
