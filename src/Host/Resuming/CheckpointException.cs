using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Resuming;

/// <summary>A checkpoint of a run cannot be used: it is damaged, or belongs to another run.</summary>
public sealed class CheckpointException : InputException
{
    internal CheckpointException(string path, string problem, string expected, string remedy, Exception? inner = null)
        : base(path, problem, expected, remedy, inner)
    {
    }
}
