using System.Text.Json.Nodes;

namespace RepNoise.Host.Tests.Support;

/// <summary>
/// A reader of safetensors written from the format's description alone, sharing no code with the product: the whole file in
/// memory, JSON as nodes. It insists on what the description does: data contiguous, starting at a multiple of 8, no byte left over.
/// </summary>
internal sealed record NaiveTensor(string Name, string DType, long[] Shape, byte[] Bytes)
{
    public float[] Floats() => DType switch
    {
        "F32" => [.. Enumerable.Range(0, Bytes.Length / 4).Select(i => BitConverter.ToSingle(Bytes, 4 * i))],
        "F16" => [.. Enumerable.Range(0, Bytes.Length / 2).Select(i => (float)BitConverter.ToHalf(Bytes, 2 * i))],
        "BF16" => [.. Enumerable.Range(0, Bytes.Length / 2).Select(i => BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(Bytes, 2 * i) << 16))],
        _ => throw new NotSupportedException(DType),
    };
}

internal static class NaiveSafetensors
{
    private static readonly Dictionary<string, int> Sizes = new() { ["F64"] = 8, ["I64"] = 8, ["F32"] = 4, ["I32"] = 4, ["F16"] = 2, ["BF16"] = 2, ["U8"] = 1 };

    public static Dictionary<string, NaiveTensor> Read(string path) => Read(path, out _);

    public static Dictionary<string, NaiveTensor> Read(string path, out JsonObject? metadata)
    {
        byte[] file = File.ReadAllBytes(path);
        int start = 8 + checked((int)BitConverter.ToUInt64(file, 0));
        Assert.Equal(0, start % 8);
        var header = JsonNode.Parse(file.AsSpan(8, start - 8))!.AsObject();
        metadata = header["__metadata__"]?.AsObject();
        header.Remove("__metadata__");
        var result = new Dictionary<string, NaiveTensor>();
        long end = 0;
        foreach (var (name, entry) in header)
        {
            long[] shape = [.. entry!["shape"]!.AsArray().Select(n => (long)n!)];
            long[] offsets = [.. entry["data_offsets"]!.AsArray().Select(n => (long)n!)];
            string dtype = (string)entry["dtype"]!;
            Assert.Equal(end, offsets[0]);
            Assert.Equal(shape.Aggregate(1L, (a, b) => a * b) * Sizes[dtype], offsets[1] - offsets[0]);
            end = offsets[1];
            result.Add(name, new NaiveTensor(name, dtype, shape, file[(start + (int)offsets[0])..(start + (int)offsets[1])]));
        }

        Assert.Equal(file.Length, start + end);
        return result;
    }
}
