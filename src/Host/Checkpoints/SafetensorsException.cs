using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Checkpoints;

/// <summary>The ways a safetensors file can be wrong, one value for each.</summary>
public enum SafetensorsError
{
    /// <summary>The file cannot be opened or mapped.</summary>
    Unreadable,

    /// <summary>Under 8 bytes: not even the header's length is there.</summary>
    TooShort,

    /// <summary>The header claims more than 100 MB.</summary>
    HeaderTooLong,

    /// <summary>The header claims to reach beyond the end of the file.</summary>
    HeaderTruncated,

    /// <summary>The header is not UTF-8.</summary>
    HeaderNotUtf8,

    /// <summary>The header does not begin with an opening brace.</summary>
    HeaderNotObject,

    /// <summary>The header is not well-formed JSON, or is nested too deep.</summary>
    HeaderMalformed,

    /// <summary>A tensor, or a key of one, occurs twice.</summary>
    DuplicateKey,

    /// <summary><c>__metadata__</c> is not an object of strings.</summary>
    BadMetadata,

    /// <summary>An entry is not an object of exactly dtype, shape and data_offsets.</summary>
    BadEntry,

    /// <summary>The dtype is none that this reader knows.</summary>
    UnknownDType,

    /// <summary>The shape is not a list of integers from 0, or its product overflows.</summary>
    BadShape,

    /// <summary>The offsets are not two integers from 0.</summary>
    BadOffsets,

    /// <summary>A tensor ends before it begins.</summary>
    ReversedOffsets,

    /// <summary>Shape and dtype need another number of bytes than the offsets span.</summary>
    SizeMismatch,

    /// <summary>Two tensors share bytes.</summary>
    Overlap,

    /// <summary>Bytes before or between tensors belong to none.</summary>
    Hole,

    /// <summary>A tensor reaches beyond the end of the file.</summary>
    Truncated,

    /// <summary>Bytes follow the last tensor.</summary>
    TrailingBytes,

    /// <summary>The file is sound but lacks a tensor that was asked for.</summary>
    MissingTensor,

    /// <summary>The file was written to while it was open.</summary>
    Changed,

    /// <summary>The tensor's elements cannot be read as the numbers that were asked for.</summary>
    WrongDType,
}

/// <summary>A safetensors file is malformed, or does not hold what was asked of it.</summary>
public sealed class SafetensorsException : InputException
{
    internal SafetensorsException(
        SafetensorsError kind, string path, string problem, string expected, string remedy, string? tensor = null, Exception? inner = null)
        : base(path, problem, expected, remedy, inner)
    {
        Kind = kind;
        Path = path;
        Tensor = tensor;
    }

    public SafetensorsError Kind { get; }

    public string Path { get; }

    /// <summary>The tensor at fault as the file names it, or null where the file as a whole is.</summary>
    public string? Tensor { get; }
}
