namespace RepNoise.Host.Checkpoints;

/// <summary>One tensor as a safetensors header lists it.</summary>
/// <param name="Name">Its name, unique in the file.</param>
/// <param name="DType">Type of its elements.</param>
/// <param name="Shape">Its dimensions, outermost first; empty for a scalar.</param>
/// <param name="Begin">First byte, counted from the start of the file's data section.</param>
/// <param name="End">First byte after it, counted likewise.</param>
public sealed record TensorEntry(string Name, DType DType, IReadOnlyList<long> Shape, long Begin, long End)
{
    /// <summary>Bytes of the tensor.</summary>
    public long ByteLength => End - Begin;

    /// <summary>Number of elements.</summary>
    public long Count => ByteLength / DType.Size();

    /// <summary>The shape as messages print it: <c>[32000, 4096]</c>.</summary>
    public static string Print(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
