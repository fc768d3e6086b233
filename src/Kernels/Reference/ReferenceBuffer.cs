using System.Numerics;

namespace RepNoise.Kernels.Reference;

/// <summary>
/// Managed memory of a reference device. Elements are read and written as the device's real type or, where an operation
/// promises more, as doubles; the conversion to what the buffer stores happens here and nowhere else.
/// </summary>
internal sealed class ReferenceBuffer<TReal, TRounding> : DeviceBuffer
    where TReal : unmanaged, IBinaryFloatingPointIeee754<TReal>
    where TRounding : struct, IRounding<TReal>
{
    private readonly TReal[] reals = [];
    private readonly double[] scalars = [];
    private bool released;

    public ReferenceBuffer(Device device, BufferKind kind, long length, string category)
        : base(device, kind, length, category)
    {
        switch (kind)
        {
            case BufferKind.Scalar: scalars = new double[length]; break;
            case BufferKind.Index: Indices = new int[length]; break;
            default: reals = new TReal[length]; break;
        }
    }

    /// <summary>The values of an index buffer.</summary>
    public int[] Indices { get; } = [];

    public TReal Read(long index) => Kind == BufferKind.Scalar ? TReal.CreateTruncating(scalars[index]) : reals[index];

    public void Write(long index, TReal value)
    {
        switch (Kind)
        {
            case BufferKind.Compute: reals[index] = TRounding.Round(value); break;
            case BufferKind.State: reals[index] = value; break;
            default: scalars[index] = double.CreateTruncating(value); break;
        }
    }

    public double ReadWide(long index) => Kind == BufferKind.Scalar ? scalars[index] : double.CreateTruncating(reals[index]);

    public void WriteWide(long index, double value)
    {
        if (Kind == BufferKind.Scalar) scalars[index] = value;
        else Write(index, TReal.CreateTruncating(value));
    }

    protected override void Dispose(bool disposing)
    {
        if (released) return;
        released = true;
        Device.NoteReleased(this);
    }
}
