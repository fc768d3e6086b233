using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using static TorchSharp.torch;

namespace RepNoise.Bench.Peer;

/// <summary>Reads the float32 tensors of the safetensors file that the parent wrote.</summary>
internal sealed class Weights : IDisposable
{
    private readonly FileStream stream;
    private readonly JsonDocument header;
    private readonly long data;

    public Weights(string path)
    {
        stream = File.OpenRead(path);
        var length = new byte[8];
        stream.ReadExactly(length);
        var json = new byte[BinaryPrimitives.ReadInt64LittleEndian(length)];
        stream.ReadExactly(json);
        header = JsonDocument.Parse(json);
        data = 8 + json.Length;
    }

    public Tensor this[string name]
    {
        get
        {
            var entry = header.RootElement.GetProperty(name);
            long[] shape = [.. entry.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64())];
            var values = new float[shape.Aggregate(1L, (product, d) => product * d)];
            stream.Position = data + entry.GetProperty("data_offsets")[0].GetInt64();
            stream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
            return tensor(values, shape);
        }
    }

    public void Dispose()
    {
        header.Dispose();
        stream.Dispose();
    }
}
