namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Weights in formats that are not read. PyTorch's own files (<c>.bin</c>, <c>.pt</c>) are pickles: programs that rebuild the weights,
/// or do anything else, when they are read.
/// </summary>
internal static class OtherFormats
{
    /// <summary>What to do with such a file.</summary>
    public const string Conversion = "convert them once with transformers, from a source you trust: "
        + "AutoModelForCausalLM.from_pretrained(folder, dtype=\"auto\").save_pretrained(new_folder)";

    private static readonly string[] Extensions = [".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".npz"];

    /// <summary>True where a file's name says that it holds weights in another format.</summary>
    public static bool IsNamedSo(string name) => Extensions.Contains(Path.GetExtension(name).ToLowerInvariant());

    /// <summary>True where a file begins as a zip archive does.</summary>
    public static bool IsArchive(ReadOnlySpan<byte> head) => head.StartsWith("PK\u0003\u0004"u8);

    /// <summary>True where a file begins as PyTorch's do: a zip archive, or a bare pickle of protocol 2 to 5.</summary>
    public static bool IsPickle(ReadOnlySpan<byte> head) => IsArchive(head) || head is [0x80, >= 2 and <= 5, ..];
}
