namespace RepNoise.Host.Evaluation.Scoring;

/// <summary>A text whose tokens are scored from some index on, each by those before it.</summary>
/// <param name="Ids">All tokens, those that are only context too.</param>
/// <param name="FirstTarget">Index of the first token that is scored; 1 or more.</param>
public sealed record TokenSequence(int[] Ids, int FirstTarget)
{
    /// <summary>Tokens that are scored.</summary>
    public int Targets => Ids.Length - FirstTarget;
}
