namespace RepNoise.Kernels.Cpu;

/// <summary>A float32 tensor as kernels see it: plain memory.</summary>
/// <param name="data">Element (0, 0).</param>
/// <param name="rows">Rows.</param>
/// <param name="columns">Columns, consecutive in memory.</param>
/// <param name="stride">Elements from one row to the next.</param>
internal readonly unsafe struct View(float* data, int rows, int columns, long stride)
{
    public readonly float* Data = data;
    public readonly int Rows = rows;
    public readonly int Columns = columns;
    public readonly long Stride = stride;

    public bool IsEmpty => Data is null;

    /// <summary>Elements.</summary>
    public long Length => (long)Rows * Columns;

    public bool IsDense => Stride == Columns || Rows <= 1;

    public float* Row(long row) => Data + row * Stride;

    /// <summary>Rows from <paramref name="start"/> on.</summary>
    public View RowRange(int start, int count) => new(Row(start), count, Columns, Stride);

    /// <summary>The memory of a compute or state tensor; the default view for no tensor.</summary>
    public static View Of(Tensor tensor)
    {
        if (tensor.IsEmpty) return default;
        var buffer = Cpu(tensor.Buffer);
        Check.That(buffer.Kind is BufferKind.Compute or BufferKind.State, nameof(View), $"a tensor of kind {buffer.Kind}", "float32 values");
        return new View((float*)buffer.Memory + tensor.Offset, tensor.Rows, tensor.Columns, tensor.RowStride);
    }

    /// <summary>The first value of a scalar tensor.</summary>
    public static double* Scalars(Tensor tensor)
    {
        var buffer = Cpu(tensor.Buffer);
        Check.That(buffer.Kind == BufferKind.Scalar, nameof(View), $"a tensor of kind {buffer.Kind}", "scalars");
        return (double*)buffer.Memory + tensor.Offset;
    }

    public static int* Numbers(Indices indices)
    {
        var buffer = Cpu(indices.Buffer);
        Check.That(buffer.Kind == BufferKind.Index, nameof(View), $"indices of kind {buffer.Kind}", "int32 values");
        return (int*)buffer.Memory + indices.Offset;
    }

    /// <summary>Row numbers, each checked to lie below a limit: a wrong one would read foreign memory.</summary>
    public static int* Numbers(string operation, Indices indices, int limit)
    {
        int* numbers = Numbers(indices);
        for (int i = 0; i < indices.Count; i++)
        {
            if ((uint)numbers[i] >= (uint)limit)
                throw new ShapeException(operation, $"row number {i} is {numbers[i]}", $"0 to {limit - 1}");
        }

        return numbers;
    }

    private static CpuBuffer Cpu(DeviceBuffer buffer) => buffer as CpuBuffer ??
        throw new ShapeException(nameof(View), $"a tensor of device {buffer?.Device.Name ?? "none"}", "one of device cpu");
}
