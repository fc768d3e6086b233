using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Cuda;

/// <summary>A tensor as kernels take it: <c>Matrix</c> of native/cuda/include/matrix.cuh.</summary>
/// <param name="Data">Device address of element (0, 0); 0 for no tensor.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Number of columns.</param>
/// <param name="Stride">Elements from one row to the next.</param>
/// <param name="Reserved">Fills the struct to a multiple of its alignment.</param>
internal readonly record struct MatrixArgument(nint Data, int Rows, int Columns, int Stride, int Reserved)
{
    public static MatrixArgument Of(Tensor tensor) => tensor.IsEmpty
        ? default
        : new MatrixArgument(Address(tensor.Buffer, tensor.Offset), tensor.Rows, tensor.Columns, tensor.RowStride, 0);

    /// <summary>Device address of an element.</summary>
    public static nint Address(Tensor tensor) => tensor.IsEmpty ? 0 : Address(tensor.Buffer, tensor.Offset);

    /// <summary>Device address of the first value.</summary>
    public static nint Address(Indices indices) => Address(indices.Buffer, indices.Offset);

    /// <summary>Format of a tensor's elements.</summary>
    public static NumberFormat FormatOf(Tensor tensor) => ((AcceleratorBuffer)tensor.Buffer).Format;

    /// <summary>True where rows start at multiples of 16 bytes. Buffers themselves start at multiples of 256, planned ones too.</summary>
    public static bool HasAlignedRows(Tensor tensor)
    {
        int size = tensor.Buffer.Device.FormatOf(tensor.Buffer.Kind).Size();
        return tensor.Offset * size % 16 == 0 && (long)tensor.RowStride * size % 16 == 0;
    }

    private static nint Address(DeviceBuffer buffer, long offset)
    {
        var memory = (AcceleratorBuffer)buffer;
        return memory.Pointer + checked((nint)(offset * memory.Format.Size()));
    }
}

/// <summary>How packs of eight elements are spread over blocks; see <c>each_pack</c> of matrix.cuh.</summary>
internal static class Packs
{
    public const int Size = 8;

    // Enough to fill every multiprocessor of the largest GPUs several times; more blocks only add launch overhead.
    private const int MostBlocks = 2048;

    /// <summary>A grid over rows and packs of columns; empty where the matrix is.</summary>
    public static Grid Over(int rows, int columns, int threads, int most = MostBlocks)
    {
        if (rows == 0 || columns == 0) return default;
        int x = (int)Math.Min(most, Blocks(columns, threads * Size)), y = Math.Min(rows, Math.Max(1, most / x));
        return new Grid(x, y);
    }

    /// <summary>Several tensors of one shape as matrices: of one long row where none has gaps, so that all packs are full.</summary>
    public static bool CanFlatten(params ReadOnlySpan<Tensor> tensors)
    {
        foreach (var tensor in tensors)
        {
            if (!tensor.IsEmpty && (!tensor.IsDense || tensor.Length > int.MaxValue - Size)) return false;
        }

        return true;
    }

    /// <summary>The tensor as one row, where <see cref="CanFlatten"/> allowed it.</summary>
    public static MatrixArgument Argument(Tensor tensor, bool flat)
    {
        var argument = MatrixArgument.Of(tensor);
        return flat && !tensor.IsEmpty
            ? argument with { Rows = Math.Min(1, argument.Rows), Columns = (int)tensor.Length, Stride = (int)tensor.Length }
            : argument;
    }

    public static long Blocks(long items, long perBlock) => (items + perBlock - 1) / perBlock;
}
