using System.Globalization;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation.Scoring;

namespace RepNoise.Host.Evaluation;

/// <summary>A question with given choices.</summary>
/// <param name="Context">Text before the choice.</param>
/// <param name="Choices">Two or more.</param>
/// <param name="Gold">Index of the right one.</param>
/// <param name="Place">File and line.</param>
public sealed record ChoiceQuestion(string Context, IReadOnlyList<string> Choices, int Gold, string Place);

/// <summary>
/// Multiple choice by log-likelihood, as lm-evaluation-harness (0.4, <c>multiple_choice</c>) scores it: context, a space and a choice are
/// one text to the tokenizer, of which the tokens after the context's are scored; white space at the context's end moves to the
/// choice; of a text that is too long the end stays. acc takes the largest sum, acc_norm the largest sum divided by the choice's
/// characters, both the first of equal ones.
/// </summary>
public static class MultipleChoice
{
    private const string Delimiter = " ";

    /// <summary>The questions of a file with <c>context</c> (or question, query), <c>choices</c>, and <c>gold</c> (or answer, label).</summary>
    /// <exception cref="DataException">The file is malformed, a row lacks a field, or names a choice that is not there.</exception>
    public static IReadOnlyList<ChoiceQuestion> Read(string path, int? limit = null)
    {
        var questions = new List<ChoiceQuestion>();
        foreach (var row in RowSource.Read(path))
        {
            if (questions.Count == limit) break;
            questions.Add(ReadRow(row));
        }

        return questions.Count > 0 ? questions : throw RowSource.Empty(path);
    }

    /// <summary>Scores a model.</summary>
    public static ChoiceResult Of(
        LoadedModel model, string data, IReadOnlyList<ChoiceQuestion> questions, Action<int>? progress = null, CancellationToken stop = default)
    {
        int truncated = 0;
        var groups = questions.Select(question => Sequences(model, question, ref truncated)).ToList();
        var (acc, accNorm) = (new List<double>(), new List<double>());
        using var scorer = new SequenceScorer(model.Parameters, groups.Max(group => group.Max(sequence => sequence.Ids.Length)));
        foreach (float[][] values in scorer.Score(groups, stop))
        {
            var question = questions[acc.Count];
            double[] sums = [.. values.Select(choice => choice.Sum(value => (double)value))];
            double[] normed = [.. sums.Select((sum, i) => sum / Characters(question.Choices[i]))];
            acc.Add(Largest(sums) == question.Gold ? 1 : 0);
            accNorm.Add(Largest(normed) == question.Gold ? 1 : 0);
            progress?.Invoke(acc.Count);
        }

        return new ChoiceResult
        {
            Data = data,
            Questions = questions.Count,
            Acc = acc.Average(),
            AccStderr = Statistics.StandardError(acc),
            AccNorm = accNorm.Average(),
            AccNormStderr = Statistics.StandardError(accNorm),
            Truncated = truncated,
        };
    }

    private static ChoiceQuestion ReadRow(DataRow row)
    {
        string context = row.Text(First(row, "context", "question", "query")), goldField = First(row, "gold", "answer", "label");
        var choices = row.Texts("choices");
        if (choices.Count < 2 || choices.Any(choice => choice.Length == 0))
            throw new DataException(DataFault.WrongType, row.Place, $"it has {choices.Count(choice => choice.Length > 0)} choices that are not empty",
                "two or more, none of them empty", "correct or remove the row");
        int gold = row.Integer(goldField);
        if (gold < 0 || gold >= choices.Count)
            throw new DataException(DataFault.WrongType, row.Place, $"field \"{goldField}\" is {gold}",
                string.Create(CultureInfo.InvariantCulture, $"the right choice's index, 0 to {choices.Count - 1}"), "correct the row");
        return new ChoiceQuestion(context, choices, gold, row.Place);
    }

    /// <summary>The first of these fields that the row has; the first of all for the message that it is missing.</summary>
    private static string First(DataRow row, params string[] names) => names.FirstOrDefault(row.Has) ?? names[0];

    private static TokenSequence[] Sequences(LoadedModel model, ChoiceQuestion question, ref int truncated)
    {
        string context = question.Context.TrimEnd(), space = question.Context[context.Length..] + Delimiter;
        int prefix = context.Length == 0 ? 0 : model.Encode(context, question.Place).Length;
        bool cut = false;
        var sequences = question.Choices.Select(choice =>
        {
            int[] ids = model.Encode(context + space + choice, question.Place);
            int first = prefix;
            if (first == 0) (ids, first) = ([model.PrefixId, .. model.Encode(space + choice, question.Place, special: false)], 1);
            int over = ids.Length - model.MaxTokens - 1;
            if (over > 0) (ids, first, cut) = (ids[over..], Math.Max(1, first - over), true);
            return first < ids.Length
                ? new TokenSequence(ids, first)
                : throw new InputException(question.Place, "a choice has no token of its own", "choices that add tokens to the context", "correct or remove the row");
        }).ToArray();
        truncated += cut ? 1 : 0;
        return sequences;
    }

    private static int Characters(string text) => text.EnumerateRunes().Count();

    private static int Largest(double[] values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++) best = values[i] > values[best] ? i : best;
        return best;
    }
}
