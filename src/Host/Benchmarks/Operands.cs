using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>The tensors of one benchmark on one device. Disposing gives all of their memory back.</summary>
internal sealed class Operands(Device device) : IDisposable
{
    private const int UploadFloats = 1 << 20;

    private readonly List<IDisposable> owned = [];
    private readonly List<Result> results = [];
    private readonly List<SpotCheck> spotChecks = [];
    private int tensors;

    public Device Device => device;

    /// <summary>What the operation computes, in the order of declaration.</summary>
    public IReadOnlyList<Result> Results => results;

    /// <summary>Checks by other means than the reference device, for what a partial proof cannot see.</summary>
    public IReadOnlyList<SpotCheck> SpotChecks => spotChecks;

    /// <summary>A tensor (rows, columns) with <see cref="Pattern"/>'s values times a scale, a power of two, plus an offset.</summary>
    public Tensor Filled(BufferKind kind, Extent rows, Extent columns, float scale = 1, float offset = 0)
    {
        int number = ++tensors;
        var tensor = Zeroed(kind, rows, columns);
        int chunkRows = Math.Clamp(UploadFloats / Math.Max(1, columns.Count), 1, Math.Max(1, rows.Count));
        var values = new float[chunkRows * columns.Count];
        for (int first = 0; first < rows.Count; first += chunkRows)
        {
            int count = Math.Min(chunkRows, rows.Count - first);
            for (int i = 0, at = 0; i < count; i++)
            {
                for (int j = 0; j < columns.Count; j++)
                    values[at++] = Pattern.At(number, rows.Start + first + i, columns.Start + j) * scale + offset;
            }

            device.Upload(values.AsSpan(0, count * columns.Count), tensor.RowRange(first, count));
        }

        return tensor;
    }

    /// <summary>The number that the next <see cref="Filled"/> tensor has in <see cref="Pattern"/>.</summary>
    public int NextNumber => tensors + 1;

    public Tensor Zeroed(BufferKind kind, Extent rows, Extent columns) =>
        Tensor.Of(Own(device.Allocate(kind, (long)rows.Count * columns.Count, "benchmark")), rows.Count, columns.Count);

    /// <summary>A workspace of logits.</summary>
    public Tensor Logits(int vocabulary)
    {
        var logits = device.AllocateLogits(vocabulary);
        Own(logits.Buffer);
        return logits;
    }

    public Indices Numbers(params ReadOnlySpan<int> values)
    {
        var indices = Indices.Of(Own(device.Allocate(BufferKind.Index, values.Length, "benchmark")), values.Length);
        device.Upload(values, indices);
        return indices;
    }

    /// <summary>Declares that the operation computes these rows and columns of a result.</summary>
    public void Result(string name, Tensor tensor, Extent rows, Extent columns) => results.Add(new Result(
        name, rows, columns, device.FormatOf(tensor.Buffer.Kind), (r, c) =>
        {
            var values = new double[(long)r.Count * c.Count];
            device.Download(tensor.RowRange(r.Start - rows.Start, r.Count).ColumnRange(c.Start - columns.Start, c.Count), values);
            return values;
        }));

    /// <summary>Declares a result that lies in host memory, row by row.</summary>
    public void Result(string name, float[] values, int rows, int columns) => results.Add(new Result(
        name, rows, columns, NumberFormat.Float32, (r, c) => [.. from i in Enumerable.Range(r.Start, r.Count)
                                                                from j in Enumerable.Range(c.Start, c.Count)
                                                                select (double)values[i * columns + j]]));

    public void Check(string name, NumberFormat format, Func<(double[] Found, double[] Expected)> compute) =>
        spotChecks.Add(new SpotCheck(name, format, compute));

    /// <summary>Gives a plan or buffer to dispose.</summary>
    public T Own<T>(T disposable)
        where T : IDisposable
    {
        owned.Add(disposable);
        return disposable;
    }

    public void Dispose()
    {
        foreach (var disposable in owned) disposable.Dispose();
    }
}

/// <summary>One result of an operation.</summary>
/// <param name="Name">Its name in the contract.</param>
/// <param name="Rows">Rows that were computed.</param>
/// <param name="Columns">Columns that were computed.</param>
/// <param name="Format">Of its buffer.</param>
/// <param name="Read">Values of some of these rows and columns, row by row.</param>
internal sealed record Result(string Name, Extent Rows, Extent Columns, NumberFormat Format, Func<Extent, Extent, double[]> Read);

/// <summary>A check by a computation of its own.</summary>
internal sealed record SpotCheck(string Name, NumberFormat Format, Func<(double[] Found, double[] Expected)> Compute);
