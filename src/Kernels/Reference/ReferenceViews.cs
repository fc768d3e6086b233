using System.Numerics;

namespace RepNoise.Kernels.Reference;

/// <summary>A tensor's elements by row and column, in the device's real type.</summary>
internal readonly struct RealView<TReal, TRounding>(Tensor tensor)
    where TReal : unmanaged, IBinaryFloatingPointIeee754<TReal>
    where TRounding : struct, IRounding<TReal>
{
    private readonly ReferenceBuffer<TReal, TRounding> buffer = (ReferenceBuffer<TReal, TRounding>)tensor.Buffer;

    public TReal this[int row, int column]
    {
        get => buffer.Read(tensor.Offset + (long)row * tensor.RowStride + column);
        set => buffer.Write(tensor.Offset + (long)row * tensor.RowStride + column, value);
    }
}

/// <summary>A tensor's elements by row and column, as doubles: scalars, and sums that promise double accumulation.</summary>
internal readonly struct WideView<TReal, TRounding>(Tensor tensor)
    where TReal : unmanaged, IBinaryFloatingPointIeee754<TReal>
    where TRounding : struct, IRounding<TReal>
{
    private readonly ReferenceBuffer<TReal, TRounding> buffer = (ReferenceBuffer<TReal, TRounding>)tensor.Buffer;

    public double this[int row, int column]
    {
        get => buffer.ReadWide(tensor.Offset + (long)row * tensor.RowStride + column);
        set => buffer.WriteWide(tensor.Offset + (long)row * tensor.RowStride + column, value);
    }
}
