namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>A pattern that is malformed or uses a construct that is not supported; the caller knows the file it stands in.</summary>
internal sealed class RegexSyntaxException(string problem, string expected) : Exception(problem)
{
    public string Problem { get; } = problem;

    public string Expected { get; } = expected;
}

/// <summary>A pattern backtracked too long on one text.</summary>
internal sealed class RegexWorkException(long steps) : Exception($"{steps} steps")
{
    public long Steps { get; } = steps;
}
