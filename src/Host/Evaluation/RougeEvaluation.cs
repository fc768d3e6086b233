using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Evaluation;

/// <summary>Lets a model answer prompts that have a reference, and compares both by ROUGE.</summary>
public static class RougeEvaluation
{
    /// <param name="model">Who answers.</param>
    /// <param name="data">Where the examples come from, for the result.</param>
    /// <param name="examples">Prompts with their answers, the references.</param>
    /// <param name="stem">Whether words are stemmed.</param>
    /// <param name="options">How the model answers.</param>
    /// <param name="progress">Told the number of answers, or null.</param>
    /// <param name="stop">Ends it with an exception.</param>
    /// <exception cref="InputException">An example has no prompt.</exception>
    public static RougeResult Of(
        LoadedModel model, string data, IReadOnlyList<TextExample> examples, bool stem, AnsweringOptions options, Action<int>? progress = null,
        CancellationToken stop = default)
    {
        if (examples.FirstOrDefault(example => example.PromptLength == 0) is { } bare)
            throw new InputException(bare.Place, "the text has no prompt", "a prompt and its reference", "name them with --prompt-field and --answer-field");
        var texts = Answering.Generate(model, [.. examples.Select(e => (e.Text[..e.PromptLength], e.Place))], options, progress, stop);
        var records = new List<AnswerRecord>();
        var scores = new List<RougeScore[]>();
        foreach (var (example, text) in examples.Zip(texts))
        {
            string reference = example.Text[example.PromptLength..];
            var (wanted, said) = (Rouge.Tokens(reference, stem), Rouge.Tokens(text.Text, stem));
            RougeScore[] score = [Rouge.Ngrams(wanted, said, 1), Rouge.Ngrams(wanted, said, 2), Rouge.LongestCommonSubsequence(wanted, said)];
            scores.Add(score);
            records.Add(new AnswerRecord
            {
                Part = "rouge",
                Index = records.Count,
                Place = example.Place,
                Prompt = example.Text[..example.PromptLength],
                Answer = text.Text,
                Reference = reference,
                Score = score[0].Fmeasure,
                Tokens = text.Ids.Length,
                Repetition = Repetition.Of(text.Ids),
                Disfluent = Repetition.Of(text.Ids) > Repetition.Limit,
            });
        }

        return new RougeResult
        {
            Data = data,
            Texts = records.Count,
            Stemmer = stem,
            Generation = options.Settings,
            Rouge1 = Mean(scores, 0),
            Rouge2 = Mean(scores, 1),
            RougeL = Mean(scores, 2),
            Disfluent = records.Average(record => record.Disfluent == true ? 1.0 : 0.0),
            Answers = records,
        };
    }

    private static RougeMean Mean(List<RougeScore[]> scores, int kind)
    {
        double[] fmeasures = [.. scores.Select(score => score[kind].Fmeasure)];
        return new RougeMean(scores.Average(s => s[kind].Precision), scores.Average(s => s[kind].Recall), fmeasures.Average(), Statistics.StandardError(fmeasures));
    }
}
