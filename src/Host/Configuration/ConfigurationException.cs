using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Configuration;

/// <summary>A configuration file cannot be used.</summary>
/// <param name="path">The file.</param>
/// <param name="line">Its line from 1, or 0 where the whole file is meant.</param>
/// <param name="problem">What is wrong and what was found.</param>
/// <param name="expected">What would have been right.</param>
/// <param name="remedy">What to do next.</param>
/// <param name="inner">The cause.</param>
public sealed class ConfigurationException(
    string path, long line, string problem, string expected, string remedy, Exception? inner = null)
    : InputException(line > 0 ? $"{path}:{line}" : path, problem, expected, remedy, inner)
{
    public string Path { get; } = path;

    public long Line { get; } = line;
}
