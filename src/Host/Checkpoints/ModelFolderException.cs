using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Checkpoints;

/// <summary>The ways a model folder can be wrong, its files being sound in themselves.</summary>
public enum ModelFolderError
{
    /// <summary>There is no such folder.</summary>
    NoFolder,

    /// <summary>The folder has no config.json.</summary>
    NoConfig,

    /// <summary>The folder has no weights in safetensors.</summary>
    NoWeights,

    /// <summary>Weights are there, but in another format (PyTorch pickles, GGUF, ...).</summary>
    OtherWeightFormat,

    /// <summary>The index has no usable weight_map.</summary>
    BadIndex,

    /// <summary>A file name that leads out of the folder: an index entry with separators, or a symbolic link.</summary>
    UnsafePath,

    /// <summary>The index names a shard that is not there.</summary>
    MissingShard,

    /// <summary>A tensor is in two shards, or in another shard than the index says.</summary>
    ShardConflict,

    /// <summary>The architecture needs a tensor that the weights lack.</summary>
    MissingTensor,

    /// <summary>The weights have a tensor that the architecture does not know.</summary>
    SurplusTensor,

    /// <summary>A tensor's shape is not what config.json implies.</summary>
    WrongShape,

    /// <summary>A tensor is neither F32 nor F16 nor BF16.</summary>
    UnsupportedDType,

    /// <summary>A weight is NaN or infinite.</summary>
    NonFinite,
}

/// <summary>A model folder cannot be loaded.</summary>
public sealed class ModelFolderException : InputException
{
    internal ModelFolderException(
        ModelFolderError kind, string place, string problem, string expected, string remedy, string? tensor = null, Exception? inner = null)
        : base(place, problem, expected, remedy, inner)
    {
        Kind = kind;
        Tensor = tensor;
    }

    public ModelFolderError Kind { get; }

    /// <summary>The tensor at fault, or null.</summary>
    public string? Tensor { get; }
}
