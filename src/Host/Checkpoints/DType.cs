namespace RepNoise.Host.Checkpoints;

/// <summary>Element types of safetensors files whose elements fill whole bytes.</summary>
public enum DType
{
    Bool,
    U8,
    I8,
    F8E5M2,
    F8E4M3,
    F8E8M0,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    I64,
    U64,
    F64,
    C64,
}

/// <summary>Names and sizes of <see cref="DType"/> in the two vocabularies that meet in a model folder.</summary>
public static class DTypes
{
    private static readonly (DType Type, string Name, int Size, string? ConfigName)[] Table =
    [
        (DType.Bool, "BOOL", 1, null),
        (DType.U8, "U8", 1, null),
        (DType.I8, "I8", 1, null),
        (DType.F8E5M2, "F8_E5M2", 1, null),
        (DType.F8E4M3, "F8_E4M3", 1, null),
        (DType.F8E8M0, "F8_E8M0", 1, null),
        (DType.I16, "I16", 2, null),
        (DType.U16, "U16", 2, null),
        (DType.F16, "F16", 2, "float16"),
        (DType.BF16, "BF16", 2, "bfloat16"),
        (DType.I32, "I32", 4, null),
        (DType.U32, "U32", 4, null),
        (DType.F32, "F32", 4, "float32"),
        (DType.I64, "I64", 8, null),
        (DType.U64, "U64", 8, null),
        (DType.F64, "F64", 8, "float64"),
        (DType.C64, "C64", 8, null),
    ];

    private static readonly Dictionary<string, DType> ByName = Table.ToDictionary(row => row.Name, row => row.Type);

    private static readonly Dictionary<string, DType> ByConfigName =
        Table.Where(row => row.ConfigName is not null).ToDictionary(row => row.ConfigName!, row => row.Type);

    /// <summary>Bytes of one element.</summary>
    public static int Size(this DType type) => Table[(int)type].Size;

    /// <summary>The name that a safetensors header uses: <c>BF16</c>.</summary>
    public static string Name(this DType type) => Table[(int)type].Name;

    /// <summary>The name that config.json and options use: <c>bfloat16</c>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The type is not one that model weights are kept in.</exception>
    public static string ConfigName(this DType type) =>
        Table[(int)type].ConfigName ?? throw new ArgumentOutOfRangeException(nameof(type), type, "not a floating-point weight type");

    /// <summary>True for the types that model weights are read from and written to: F32, F16, BF16.</summary>
    public static bool IsWeight(this DType type) => type is DType.F32 or DType.F16 or DType.BF16;

    /// <summary>Reads the header's spelling (<c>F8_E4M3</c>), case-sensitively as the format has it.</summary>
    public static bool TryParse(string name, out DType type) => ByName.TryGetValue(name, out type);

    /// <summary>
    /// Reads config.json's spelling: <c>float32</c>, <c>float16</c>, <c>bfloat16</c>, <c>float64</c>, with or without <c>torch.</c>
    /// before it.
    /// </summary>
    public static bool TryParseConfigName(string name, out DType type) =>
        ByConfigName.TryGetValue(name.StartsWith("torch.", StringComparison.Ordinal) ? name[6..] : name, out type);
}
