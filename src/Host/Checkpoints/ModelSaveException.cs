using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Checkpoints;

/// <summary>The ways saving a model can fail.</summary>
public enum ModelSaveError
{
    /// <summary>The output folder holds something that must not be replaced.</summary>
    OutputNotEmpty,

    /// <summary>The output folder is the source folder.</summary>
    OutputIsSource,

    /// <summary>The output path, or a file that is to be written or copied, cannot be used.</summary>
    Io,

    /// <summary>A value is finite but beyond what the saved dtype can hold.</summary>
    Overflow,

    /// <summary>A value is NaN or infinite.</summary>
    NonFinite,

    /// <summary>Weights cannot be saved in the dtype that was asked for.</summary>
    UnsupportedDType,
}

/// <summary>A model cannot be saved. Nothing that stood in the output folder before has been touched.</summary>
public sealed class ModelSaveException : InputException
{
    internal ModelSaveException(
        ModelSaveError kind, string place, string problem, string expected, string remedy, string? tensor = null, Exception? inner = null)
        : base(place, problem, expected, remedy, inner)
    {
        Kind = kind;
        Tensor = tensor;
    }

    public ModelSaveError Kind { get; }

    /// <summary>The tensor at fault, or null.</summary>
    public string? Tensor { get; }

    internal static ModelSaveException FromIo(string path, Exception inner) => new(
        ModelSaveError.Io, path, $"the model cannot be saved there ({Quoted.Plain(inner.Message)})",
        "a folder with room and write permission",
        "free some space or choose another output folder, then save again", inner: inner);
}
