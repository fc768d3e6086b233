using System.CommandLine.Parsing;

namespace RepNoise.Host.Commands;

/// <summary>The values of an option as they were typed.</summary>
internal static class OptionTexts
{
    /// <summary>One text a value; a flag that stands alone counts as <c>true</c>.</summary>
    public static IReadOnlyList<string> Of(OptionResult given)
    {
        var texts = given.Tokens.Select(token => token.Value).ToList();
        if (given.Option is FlagOption)
        {
            texts.AddRange(Enumerable.Repeat("true", Math.Max(0, given.IdentifierTokenCount - texts.Count)));
        }

        return texts;
    }
}
