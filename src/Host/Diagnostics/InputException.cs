namespace RepNoise.Host.Diagnostics;

/// <summary>
/// Something that a person gave (a file, a folder, a value) cannot be used. The message is complete on its own: it names
/// the place, what was found, what was expected and what to do; <c>Program</c> prints it without a stack trace and exits 1.
/// Causes that callers tell apart derive from it and carry their data as properties.
/// </summary>
public class InputException : Exception
{
    /// <param name="place">File, with line, key or tensor where known; or the option's name.</param>
    /// <param name="problem">What is wrong and what was found, as a clause: <c>head_dim is "x"</c>.</param>
    /// <param name="expected">What would have been right: <c>a positive integer</c>.</param>
    /// <param name="remedy">What to do next, as an imperative clause.</param>
    /// <param name="inner">The cause, kept for debugging and never printed.</param>
    public InputException(string place, string problem, string expected, string remedy, Exception? inner = null)
        : base($"{place}: {problem}; expected {expected}. {Sentence(remedy)}", inner)
    {
        Place = place;
        Problem = problem;
        Expected = expected;
        Remedy = remedy;
    }

    public string Place { get; }

    public string Problem { get; }

    public string Expected { get; }

    public string Remedy { get; }

    private static string Sentence(string clause) =>
        clause.Length == 0 ? clause : char.ToUpperInvariant(clause[0]) + clause[1..] + (clause[^1] is '.' or '?' ? "" : ".");
}

/// <summary>The command line itself is wrong (unknown option, missing argument, values that exclude each other): exit 2.</summary>
public sealed class UsageException(string place, string problem, string expected, string remedy)
    : InputException(place, problem, expected, remedy);
