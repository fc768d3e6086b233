using System.Buffers;
using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace RepNoise.Host.Checkpoints;

/// <summary>A tensor to be written: what its header entry says, offsets aside.</summary>
public sealed record TensorSpec(string Name, DType DType, IReadOnlyList<long> Shape)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));
}

/// <summary>
/// Writes a safetensors file front to back: the header at once, then the tensors in its order, in pieces of any size, so that
/// no more than a piece is ever in memory. The header is laid out as the reference implementation does: compact JSON, padded
/// with spaces so that the data starts at a multiple of 8.
/// </summary>
public sealed class SafetensorsWriter : IDisposable
{
    private const int Chunk = 1 << 18;
    private static readonly JsonWriterOptions HeaderOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly FileStream stream;
    private readonly IReadOnlyList<TensorSpec> tensors;
    private readonly string path;
    private int current;
    private long written;

    private SafetensorsWriter(string path, IReadOnlyList<TensorSpec> tensors, FileStream stream) =>
        (this.path, this.tensors, this.stream) = (path, tensors, stream);

    /// <param name="path">The file; must not exist.</param>
    /// <param name="tensors">What will be written, in this order.</param>
    /// <param name="metadata"><c>__metadata__</c>; left out where empty.</param>
    /// <exception cref="IOException">The file exists or cannot be written.</exception>
    public static SafetensorsWriter Create(string path, IReadOnlyList<TensorSpec> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        byte[] header = Header(tensors, metadata);
        var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
        try
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            var writer = new SafetensorsWriter(path, tensors, stream);
            writer.SkipFinished();
            return writer;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The tensor that the next piece belongs to, or null when all are written.</summary>
    public TensorSpec? Current => current < tensors.Count ? tensors[current] : null;

    /// <summary>Bytes that the current tensor still lacks; 0 when all are written.</summary>
    public long Lacking => Current is { } tensor ? tensor.Count * tensor.DType.Size() - written : 0;

    /// <summary>Writes the next elements of the current tensor as they are.</summary>
    /// <param name="bytes">Whole or part of what the current tensor still lacks.</param>
    /// <exception cref="InvalidOperationException">More bytes than the current tensor lacks.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return;
        }

        var tensor = Current;
        if (tensor is null || bytes.Length > Lacking)
        {
            throw new InvalidOperationException($"{path}: more bytes than tensor {tensor?.Name ?? "(none)"} holds");
        }

        stream.Write(bytes);
        written += bytes.Length;
        SkipFinished();
    }

    /// <summary>Writes the next elements of the current tensor in its dtype (F32, F16 or BF16), rounded to nearest, ties to even.</summary>
    /// <exception cref="ModelSaveException">A value is not finite, or would not be in the dtype; it names tensor and element.</exception>
    /// <exception cref="InvalidOperationException">More values than the current tensor lacks.</exception>
    public void Write(ReadOnlySpan<float> values)
    {
        if (values.IsEmpty)
        {
            return;
        }

        var tensor = Current ?? throw new InvalidOperationException($"{path}: every tensor is written");
        CheckRange(tensor, values);
        if (tensor.DType == DType.F32)
        {
            foreach (var part in new Pieces(values))
            {
                Write(MemoryMarshal.AsBytes(part));
            }

            return;
        }

        ushort[] buffer = ArrayPool<ushort>.Shared.Rent(Math.Min(Chunk, values.Length));
        try
        {
            foreach (var part in new Pieces(values))
            {
                Narrow(tensor.DType, part, buffer);
                Write(MemoryMarshal.AsBytes(buffer.AsSpan(0, part.Length)));
            }
        }
        finally
        {
            ArrayPool<ushort>.Shared.Return(buffer);
        }
    }

    /// <summary>Flushes the file to disk; it is complete and durable when this returns.</summary>
    /// <exception cref="InvalidOperationException">A tensor is not written to its end.</exception>
    public void Finish()
    {
        if (Current is { } tensor)
        {
            throw new InvalidOperationException($"{path}: tensor {tensor.Name} is incomplete");
        }

        stream.Flush(flushToDisk: true);
    }

    public void Dispose() => stream.Dispose();

    private static void Narrow(DType type, ReadOnlySpan<float> values, Span<ushort> destination)
    {
        if (type == DType.F16)
        {
            HalfPrecision.ToFloat16(values, destination);
        }
        else
        {
            HalfPrecision.ToBFloat16(values, destination);
        }
    }

    private void SkipFinished()
    {
        while (current < tensors.Count && written == tensors[current].Count * tensors[current].DType.Size())
        {
            current++;
            written = 0;
        }
    }

    private void CheckRange(TensorSpec tensor, ReadOnlySpan<float> values)
    {
        if (!tensor.DType.IsWeight())
        {
            throw new InvalidOperationException($"{path}: tensor {tensor.Name} is {tensor.DType.Name()}, which floats are not written as");
        }

        float limit = HalfPrecision.OverflowLimit(tensor.DType);

        // One comparison decides for all values: NaN and infinity fail it, and so does what rounds to infinity.
        if (MathF.Abs(TensorPrimitives.MaxMagnitude(values)) < limit)
        {
            return;
        }

        long first = written / tensor.DType.Size();
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                throw new ModelSaveException(
                    ModelSaveError.NonFinite, Path.GetFileName(path), $"{tensor.Name}, element {first + i}, is {values[i]}",
                    "finite weights",
                    "lower the learning rate or clip gradients, and train again", tensor.Name);
            }

            if (MathF.Abs(values[i]) >= limit)
            {
                throw new ModelSaveException(
                    ModelSaveError.Overflow, Path.GetFileName(path),
                    $"{tensor.Name}, element {first + i}, is {values[i]}, which {tensor.DType.ConfigName()} cannot hold",
                    $"magnitudes under {limit}",
                    tensor.DType == DType.F16 ? "save with --save-dtype bfloat16 or float32" : "save with --save-dtype float32",
                    tensor.Name);
            }
        }
    }

    private static byte[] Header(IReadOnlyList<TensorSpec> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, HeaderOptions))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (var tensor in tensors)
            {
                WriteEntry(json, tensor, ref offset);
            }

            json.WriteEndObject();
        }

        int length = buffer.WrittenCount, padded = (length + 7) / 8 * 8;
        buffer.GetSpan(padded - length)[..(padded - length)].Fill((byte)' ');
        buffer.Advance(padded - length);
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteEntry(Utf8JsonWriter json, TensorSpec tensor, ref long offset)
    {
        json.WriteStartObject(tensor.Name);
        json.WriteString("dtype", tensor.DType.Name());
        json.WriteStartArray("shape");
        foreach (long dimension in tensor.Shape)
        {
            json.WriteNumberValue(dimension);
        }

        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(offset);
        offset = checked(offset + tensor.Count * tensor.DType.Size());
        json.WriteNumberValue(offset);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Cuts a span into pieces of at most <see cref="Chunk"/> values.</summary>
    private ref struct Pieces(ReadOnlySpan<float> values)
    {
        private ReadOnlySpan<float> rest = values;

        public ReadOnlySpan<float> Current { get; private set; }

        public readonly Pieces GetEnumerator() => this;

        public bool MoveNext()
        {
            Current = rest[..Math.Min(Chunk, rest.Length)];
            rest = rest[Current.Length..];
            return !Current.IsEmpty;
        }
    }
}
