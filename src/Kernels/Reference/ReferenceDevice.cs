using System.Numerics;

namespace RepNoise.Kernels.Reference;

/// <summary>
/// The meaning of every operation: plain loops that follow the formulas, one thread, one file per family. It is the ground for
/// central differences (in double), the yardstick of error budgets (in the format of the device under test), and what the
/// author of another backend mirrors.
/// <para>Arithmetic is <typeparamref name="TReal"/>; values pass through <typeparamref name="TRounding"/> on their way into a
/// compute buffer and nowhere else, so sums run in full <typeparamref name="TReal"/>. State buffers hold
/// <typeparamref name="TReal"/>, scalars are doubles. Row numbers, positions and targets are checked.</para>
/// </summary>
/// <typeparam name="TReal">double or float.</typeparam>
/// <typeparam name="TRounding">Format of compute buffers.</typeparam>
/// <param name="narrowParameters">True keeps master weights, gradients and moments in the compute format.</param>
public sealed partial class ReferenceDevice<TReal, TRounding>(bool narrowParameters = false) : Device
    where TReal : unmanaged, IBinaryFloatingPointIeee754<TReal>
    where TRounding : struct, IRounding<TReal>
{
    public override string Name => $"reference:{ReferenceDevices.FormatName(TRounding.Format)}";

    public override string Description => $"plain loops, one thread, {ReferenceDevices.FormatName(TRounding.Format)} results of " +
        $"{ReferenceDevices.FormatName(FormatOf(BufferKind.State))} arithmetic";

    public override int BatchInvariantRows => 1;

    public override BufferKind ParameterKind => narrowParameters ? BufferKind.Compute : BufferKind.State;

    public override NumberFormat FormatOf(BufferKind kind) => kind switch
    {
        BufferKind.Compute => TRounding.Format,
        BufferKind.State => typeof(TReal) == typeof(double) ? NumberFormat.Float64 : NumberFormat.Float32,
        BufferKind.Scalar => NumberFormat.Float64,
        _ => NumberFormat.Int32,
    };

    protected override DeviceBuffer AllocateCore(BufferKind kind, long length, string category)
    {
        if (length <= Array.MaxLength)
        {
            try
            {
                return new ReferenceBuffer<TReal, TRounding>(this, kind, length, category);
            }
            catch (OutOfMemoryException)
            {
                // Falls through to the same report as a length that no array can have.
            }
        }

        throw new DeviceException(Name, $"no memory for {length} elements of {category}", "Use a smaller model or batch");
    }

    protected override void UploadCore(ReadOnlySpan<float> source, Tensor target)
    {
        var to = Wide(target);
        int at = 0;
        for (int r = 0; r < target.Rows; r++)
        {
            for (int c = 0; c < target.Columns; c++) to[r, c] = source[at++];
        }
    }

    protected override void UploadCore(ReadOnlySpan<double> source, Tensor target)
    {
        var to = Wide(target);
        int at = 0;
        for (int r = 0; r < target.Rows; r++)
        {
            for (int c = 0; c < target.Columns; c++) to[r, c] = source[at++];
        }
    }

    protected override void UploadCore(ReadOnlySpan<int> source, Indices target) => source.CopyTo(Values(target));

    protected override void DownloadCore(Tensor source, Span<float> target)
    {
        var from = Wide(source);
        int at = 0;
        for (int r = 0; r < source.Rows; r++)
        {
            for (int c = 0; c < source.Columns; c++) target[at++] = (float)from[r, c];
        }
    }

    protected override void DownloadCore(Tensor source, Span<double> target)
    {
        var from = Wide(source);
        int at = 0;
        for (int r = 0; r < source.Rows; r++)
        {
            for (int c = 0; c < source.Columns; c++) target[at++] = from[r, c];
        }
    }

    private static RealView<TReal, TRounding> Real(Tensor tensor) => new(tensor);

    private static WideView<TReal, TRounding> Wide(Tensor tensor) => new(tensor);

    private static Span<int> Values(Indices indices) =>
        ((ReferenceBuffer<TReal, TRounding>)indices.Buffer).Indices.AsSpan((int)indices.Offset, indices.Count);

    /// <summary>Values that number rows of something with <paramref name="limit"/> rows.</summary>
    private static ReadOnlySpan<int> RowNumbers(string operation, Indices indices, int limit)
    {
        var values = Values(indices);
        foreach (int value in values)
            Check.That(value >= 0 && value < limit, operation, $"row number {value}", $"0 to {limit - 1}");
        return values;
    }

    private static TReal ToReal(double value) => TReal.CreateTruncating(value);

    /// <summary>A host-side factor times one on the device, where there is one.</summary>
    private static double Combine(double factor, Tensor deviceFactor) =>
        deviceFactor.IsEmpty ? factor : factor * Wide(deviceFactor)[0, 0];
}
