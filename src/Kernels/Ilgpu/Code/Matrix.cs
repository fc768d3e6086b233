using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>A float32 tensor as kernels see it.</summary>
/// <param name="data">Element (0, 0) is its first.</param>
/// <param name="rows">Rows.</param>
/// <param name="columns">Columns, consecutive in memory.</param>
/// <param name="stride">Elements from one row to the next.</param>
internal readonly struct Matrix(ArrayView<float> data, int rows, int columns, int stride)
{
    public readonly ArrayView<float> Data = data;
    public readonly int Rows = rows;
    public readonly int Columns = columns;
    public readonly int Stride = stride;

    /// <summary>An element; offsets are 64 bits, for a vocabulary's matrix can pass 2^31 elements.</summary>
    public ref float this[int row, int column] => ref Data[(long)row * Stride + column];
}

/// <summary>A float64 tensor as kernels see it: scalars.</summary>
/// <inheritdoc cref="Matrix"/>
internal readonly struct ScalarMatrix(ArrayView<double> data, int rows, int columns, int stride)
{
    public readonly ArrayView<double> Data = data;
    public readonly int Rows = rows;
    public readonly int Columns = columns;
    public readonly int Stride = stride;

    public ref double this[int row, int column] => ref Data[(long)row * Stride + column];
}

/// <summary>A factor on the host's side, times one that lies on the device where <paramref name="isUsed"/> is not 0.</summary>
internal readonly struct DeviceFactor(double factor, ArrayView<double> onDevice, int isUsed)
{
    private readonly double factor = factor;
    private readonly ArrayView<double> onDevice = onDevice;
    private readonly int isUsed = isUsed;

    public double Value => isUsed != 0 ? factor * onDevice[0] : factor;
}
