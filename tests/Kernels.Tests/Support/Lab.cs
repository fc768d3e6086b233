using RepNoise.Kernels.Reference;

namespace RepNoise.Kernels.Tests.Support;

/// <summary>A float64 reference device and short ways to put values there and back.</summary>
public sealed class Lab : IDisposable
{
    public Device Device { get; } = ReferenceDevices.Create("reference");

    public Tensor Put(int rows, int columns, double[] values) => Put(BufferKind.State, rows, columns, values);

    public Tensor Put(BufferKind kind, int rows, int columns, double[] values)
    {
        var tensor = Device.AllocateTensor(kind, rows, columns, "test");
        Device.Upload(values, tensor);
        return tensor;
    }

    public Tensor New(int rows, int columns) => Device.AllocateTensor(BufferKind.State, rows, columns, "test");

    /// <summary>A zeroed tensor of another's shape.</summary>
    public Tensor Like(Tensor other) => New(other.Rows, other.Columns);

    public Indices Numbers(params int[] values)
    {
        var indices = Device.AllocateIndices(values.Length, "test");
        Device.Upload(values, indices);
        return indices;
    }

    public double[] Get(Tensor tensor)
    {
        var values = new double[tensor.Length];
        Device.Download(tensor, values);
        return values;
    }

    /// <summary>Standard Gaussians of a stream.</summary>
    public static double[] Gaussians(int count, ulong stream)
    {
        var sequence = new PhiloxSequence(17, PhiloxPurpose.Initialization, stream);
        var values = new List<double>();
        while (values.Count < count)
        {
            var (a, b, c, d) = sequence.NextGaussians();
            values.AddRange([a, b, c, d]);
        }

        return [.. values.Take(count)];
    }

    public void Dispose() => Device.Dispose();
}
