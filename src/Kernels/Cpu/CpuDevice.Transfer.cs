namespace RepNoise.Kernels.Cpu;

/// <summary>Copies between host values and native memory, row by row, converting where the formats differ.</summary>
public sealed unsafe partial class CpuDevice
{
    protected override void UploadCore(ReadOnlySpan<float> source, Tensor target)
    {
        NoteTransfer(target, source.Length, sizeof(float), writes: true);
        for (int row = 0; row < target.Rows; row++)
        {
            var from = source.Slice(row * target.Columns, target.Columns);
            if (IsScalar(target)) Widen(from, ScalarRow(target, row));
            else from.CopyTo(FloatRow(target, row));
        }
    }

    protected override void UploadCore(ReadOnlySpan<double> source, Tensor target)
    {
        NoteTransfer(target, source.Length, sizeof(double), writes: true);
        for (int row = 0; row < target.Rows; row++)
        {
            var from = source.Slice(row * target.Columns, target.Columns);
            if (IsScalar(target)) from.CopyTo(ScalarRow(target, row));
            else Round(from, FloatRow(target, row));
        }
    }

    protected override void UploadCore(ReadOnlySpan<int> source, Indices target)
    {
        context.NoteTraffic(source.Length, source.Length);
        source.CopyTo(new Span<int>(View.Numbers(target), target.Count));
    }

    protected override void DownloadCore(Tensor source, Span<float> target)
    {
        NoteTransfer(source, target.Length, sizeof(float), writes: false);
        for (int row = 0; row < source.Rows; row++)
        {
            var to = target.Slice(row * source.Columns, source.Columns);
            if (IsScalar(source)) Round(ScalarRow(source, row), to);
            else FloatRow(source, row).CopyTo(to);
        }
    }

    protected override void DownloadCore(Tensor source, Span<double> target)
    {
        NoteTransfer(source, target.Length, sizeof(double), writes: false);
        for (int row = 0; row < source.Rows; row++)
        {
            var to = target.Slice(row * source.Columns, source.Columns);
            if (IsScalar(source)) ScalarRow(source, row).CopyTo(to);
            else Widen(FloatRow(source, row), to);
        }
    }

    /// <summary>One side is read, the other written.</summary>
    private void NoteTransfer(Tensor tensor, int length, int hostSize, bool writes)
    {
        int size = IsScalar(tensor) ? sizeof(double) : sizeof(float);
        context.NoteTraffic(read: (long)(writes ? hostSize : size) * length / sizeof(float), written: (long)(writes ? size : hostSize) * length / sizeof(float));
    }

    private static bool IsScalar(Tensor tensor) => tensor.Buffer.Kind == BufferKind.Scalar;

    private static Span<float> FloatRow(Tensor tensor, int row) => new(View.Of(tensor).Row(row), tensor.Columns);

    private static Span<double> ScalarRow(Tensor tensor, int row) =>
        new(View.Scalars(tensor) + (long)row * tensor.RowStride, tensor.Columns);

    private static void Widen(ReadOnlySpan<float> source, Span<double> target)
    {
        for (int i = 0; i < source.Length; i++) target[i] = source[i];
    }

    private static void Round(ReadOnlySpan<double> source, Span<float> target)
    {
        for (int i = 0; i < source.Length; i++) target[i] = (float)source[i];
    }
}
