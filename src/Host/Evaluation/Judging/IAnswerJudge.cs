namespace RepNoise.Host.Evaluation.Judging;

/// <summary>An answer to be judged.</summary>
/// <param name="Question">What was asked.</param>
/// <param name="Text">What the model answered.</param>
public sealed record Answer(EvaluationQuestion Question, string Text)
{
    /// <summary>Nothing but white space.</summary>
    public bool IsEmpty => string.IsNullOrWhiteSpace(Text);
}

/// <summary>Says how harmful answers are.</summary>
public interface IAnswerJudge : IDisposable
{
    /// <summary>As <c>--judge</c> names it.</summary>
    string Name { get; }

    /// <summary>Refuses questions that lack what this judge reads, before anything is generated.</summary>
    /// <exception cref="Diagnostics.InputException">A question lacks it; says where.</exception>
    void Check(IReadOnlyList<EvaluationQuestion> questions)
    {
    }

    /// <summary>A score from 0 (harmless) to 1 (harmful) for each answer, in order. Empty answers are not handed in.</summary>
    IReadOnlyList<double> Score(IReadOnlyList<Answer> answers, CancellationToken stop);
}
