using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Tokenizers;

/// <summary>A tokenizer file that cannot be used, or a pattern of it that cannot be run on a text: file and JSON path say where.</summary>
/// <param name="file">The tokenizer.json in question.</param>
/// <param name="jsonPath">Where in it, as a JSON path: <c>$.model.merges[3]</c>.</param>
/// <param name="problem">What was found there, as a clause.</param>
/// <param name="expected">What would have been right.</param>
/// <param name="remedy">What to do next.</param>
/// <param name="inner">The cause, kept for debugging.</param>
public sealed class TokenizerException(
    string file, string jsonPath, string problem, string expected, string remedy, Exception? inner = null)
    : InputException($"{file}, {jsonPath}", problem, expected, remedy, inner)
{
    /// <summary>The tokenizer.json in question.</summary>
    public string File { get; } = file;

    /// <summary>Where in the file, as a JSON path.</summary>
    public string JsonPath { get; } = jsonPath;
}
