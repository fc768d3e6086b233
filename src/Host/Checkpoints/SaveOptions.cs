using RepNoise.Host.Resuming;

namespace RepNoise.Host.Checkpoints;

/// <summary>Gives part of a parameter's values to a writer.</summary>
/// <param name="parameter">The parameter.</param>
/// <param name="offset">First element in row-major order.</param>
/// <param name="destination">To be filled; the writer asks for each parameter's elements once, in order.</param>
public delegate void ParameterReader(ParameterSpec parameter, long offset, Span<float> destination);

/// <summary>How a model is saved.</summary>
public sealed record SaveOptions
{
    /// <summary>Dtype of every parameter (F32, F16 or BF16); null keeps the source's, tensor by tensor.</summary>
    public DType? SaveDType { get; init; }

    /// <summary>True lets a model folder that is already there be replaced.</summary>
    public bool Overwrite { get; init; }

    /// <summary>
    /// Files that a training run keeps in its output folder. They may be there before the model is, saving never touches them,
    /// and those of the source folder, which tell of another run, are not copied.
    /// </summary>
    public IReadOnlyCollection<string> RunFiles { get; init; } = ["metrics.jsonl", "run.yaml", RunLock.FileName];
}
