using System.Buffers;
using System.Runtime.InteropServices;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Model;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Resuming;

/// <summary>
/// State tensors of a run as a safetensors file, to the bit: each in the number format that its device keeps it in, also where a
/// value is not finite.
/// </summary>
internal static class StateFile
{
    /// <summary>Elements moved at a time.</summary>
    private const int Chunk = 1 << 20;

    /// <summary>The dtype that holds the values of a buffer exactly.</summary>
    public static DType DTypeOf(Tensor values) => values.Buffer.Device.FormatOf(values.Buffer.Kind) switch
    {
        NumberFormat.Float64 => DType.F64,
        NumberFormat.BFloat16 => DType.BF16,
        _ => DType.F32,
    };

    /// <summary>Writes tensors in their order; the file is flushed to disk.</summary>
    public static void Write(string path, IReadOnlyList<OptimizerTensor> tensors)
    {
        var specs = tensors.Select(tensor => new TensorSpec(tensor.Name, DTypeOf(tensor.Value), Shape(tensor))).ToArray();
        using var writer = SafetensorsWriter.Create(path, specs, new Dictionary<string, string> { ["format"] = "pt" });
        foreach (var tensor in tensors)
        {
            foreach (var piece in ModelParameters.Pieces(tensor.Value, Chunk)) Write(writer, piece);
        }

        writer.Finish();
    }

    /// <summary>Reads tensors that <see cref="Write"/> wrote under the same names; exactly where the device keeps the same number format.</summary>
    /// <exception cref="SafetensorsException">The file is malformed, or has no such tensor.</exception>
    /// <exception cref="CheckpointException">A tensor has another shape.</exception>
    public static void Read(SafetensorsFile file, IEnumerable<OptimizerTensor> tensors)
    {
        foreach (var tensor in tensors)
        {
            var entry = file[tensor.Name];
            if (!entry.Shape.SequenceEqual(Shape(tensor)))
                throw new CheckpointException(
                    file.Path, $"{tensor.Name} has shape {TensorEntry.Print(entry.Shape)}", TensorEntry.Print(Shape(tensor)), "use the checkpoint of this model");
            long offset = 0;
            foreach (var piece in ModelParameters.Pieces(tensor.Value, Chunk))
            {
                Upload(file, tensor.Name, offset, piece);
                offset += piece.Length;
            }
        }
    }

    private static long[] Shape(OptimizerTensor tensor) => [tensor.Value.Rows, tensor.Value.Columns];

    private static void Write(SafetensorsWriter writer, Tensor piece)
    {
        var device = piece.Buffer.Device;
        if (DTypeOf(piece) == DType.F64)
        {
            using var exact = new Rented<double>(piece.Length);
            device.Download(piece, exact.Span);
            writer.Write(MemoryMarshal.AsBytes(exact.Span));
            return;
        }

        using var values = new Rented<float>(piece.Length);
        device.Download(piece, values.Span);
        if (DTypeOf(piece) == DType.F32)
        {
            writer.Write(MemoryMarshal.AsBytes(values.Span));
            return;
        }

        using var narrow = new Rented<ushort>(piece.Length);
        HalfPrecision.ToBFloat16(values.Span, narrow.Span);
        writer.Write(MemoryMarshal.AsBytes(narrow.Span));
    }

    private static void Upload(SafetensorsFile file, string name, long offset, Tensor piece)
    {
        if (DTypeOf(piece) == DType.F64)
        {
            using var exact = new Rented<double>(piece.Length);
            file.ReadInto(name, offset, exact.Span);
            piece.Buffer.Device.Upload(exact.Span, piece);
            return;
        }

        using var values = new Rented<float>(piece.Length);
        file.ReadInto(name, offset, values.Span);
        piece.Buffer.Device.Upload(values.Span, piece);
    }

    /// <summary>An array of the shared pool for the length of a using statement.</summary>
    private readonly ref struct Rented<T>(long length)
    {
        private readonly T[] array = ArrayPool<T>.Shared.Rent((int)length);

        public Span<T> Span => array.AsSpan(0, (int)length);

        public void Dispose() => ArrayPool<T>.Shared.Return(array);
    }
}
