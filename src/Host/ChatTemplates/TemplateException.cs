using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.ChatTemplates;

/// <summary>A chat template cannot be read, uses something that is not supported, or refuses its messages.</summary>
/// <param name="template">Where it comes from.</param>
/// <param name="line">Its line, from 1.</param>
/// <param name="problem">What is wrong and what was found.</param>
/// <param name="expected">What would have been right.</param>
/// <param name="remedy">What to do next.</param>
public sealed class TemplateException(string template, int line, string problem, string expected, string remedy)
    : InputException($"{template}, line {line}", problem, expected, remedy)
{
    /// <summary>The template's line, from 1.</summary>
    public int Line { get; } = line;
}

/// <summary>An error at a line, before it is known of which template.</summary>
internal sealed class TemplateFault(int line, string problem, string expected, string remedy = "use --template in its place, or correct the template") : Exception(problem)
{
    public int Line { get; } = line;

    public string Expected { get; } = expected;

    public string Remedy { get; } = remedy;

    public static TemplateFault Unsupported(int line, string what) =>
        new(line, $"{what} is not supported", "what chat templates use: loops, conditions, set, macros, common filters, tests and methods");
}
